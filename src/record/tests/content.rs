//! Files that are written whole or not at all, and rows as CSV.

use super::super::*;
use std::fs;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("sparse-rtrl-record-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn replaced_file_holds_the_new_content_and_leaves_nothing_beside() {
    let folder = folder("replaced");
    let path = folder.join("a/b.bin");
    for content in ["first, and longer", "second", ""] {
        replace(&path, content).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        assert_eq!(names(path.parent().unwrap()), ["b.bin"]);
    }
    // It goes through the file beside it: a folder there is in the way, and the old content stays.
    fs::create_dir(folder.join("a/b.bin.new")).unwrap();
    assert!(matches!(replace(&path, "third"), Err(Error::Write { .. })));
    assert!(check_replaceable(&path).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn checks_touch_nothing() {
    let folder = folder("checks");
    let (there, absent) = (folder.join("there"), folder.join("deeper/absent"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(&there, "precious").unwrap();
    for check in [check_writable, check_replaceable] {
        check(&there).unwrap();
        check(&absent).unwrap();
        assert_eq!(fs::read_to_string(&there).unwrap(), "precious");
        assert!(!absent.exists() && absent.parent().unwrap().is_dir());
        assert!(check(&folder).is_err(), "a folder is no file");
        assert!(check(&there.join("x")).is_err(), "nor is a file a folder");
        assert_eq!(names(&folder), ["deeper", "there"]);
    }
    fs::remove_dir_all(folder).unwrap();
}

/// Columns in their order, with a value of its own in each; what has no value is empty.
#[test]
fn rows_are_written_at_once_under_the_names_of_their_columns() {
    let folder = folder("rows");
    let path = folder.join("sub/curve.csv");
    let row = Row {
        seed: 1,
        rule: "rtrl".into(),
        param_sparsity: 0.25,
        iteration: 3,
        loss: 4.5,
        train_accuracy: 0.5,
        test_accuracy: Some(0.625),
        activity_sparsity: 0.75,
        backward_sparsity: 0.875,
        live_share: 0.125,
        influence_density: Some(10.0),
        influence_density_recurrent: Some(11.0),
        rows_without_derivative: Some(12.0),
        columns_silent: Some(13.0),
        columns_masked: Some(14.0),
        influence_held: Some(15.0),
        gradient_cosine: Some(16.0),
        gradient_error: Some(17.0),
        compute_adjusted_iteration: 18.0,
        density_adjusted_iteration: Some(19.0),
        macs: 20,
        macs_dense: 21,
    };
    let header = "seed,rule,param_sparsity,iteration,loss,train_accuracy,test_accuracy,activity_sparsity,\
                  backward_sparsity,live_share,influence_density,influence_density_recurrent,\
                  rows_without_derivative,columns_silent,columns_masked,influence_held,gradient_cosine,\
                  gradient_error,compute_adjusted_iteration,density_adjusted_iteration,macs,macs_dense\n";
    let first = "1,rtrl,0.25,3,4.5,0.5,0.625,0.75,0.875,0.125,10.0,11.0,12.0,13.0,14.0,15.0,16.0,17.0,18.0,19.0,20,21\n";
    let second =
        "1,rtrl,0.25,4,4.5,0.5,,0.75,0.875,0.125,10.0,11.0,12.0,13.0,14.0,15.0,,17.0,18.0,19.0,20,21\n";
    let mut recorder = Recorder::create(&path).unwrap();
    recorder.write(&row).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{header}{first}"));
    recorder.write(&Row { iteration: 4, test_accuracy: None, gradient_cosine: None, ..row }).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{header}{first}{second}"));
    drop(recorder);
    drop(Recorder::create(&path).unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), "", "a new run begins anew");
    assert!(Recorder::create(&folder).is_err());
    fs::remove_dir_all(folder).unwrap();
}
