use super::*;
use std::fs;

/// Creates an empty folder and returns the path of a file in it.
fn file(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("sparse-rtrl-recorder-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder.join("file")
}

/// Returns the names in the folder of `path` and removes the folder.
fn remaining_names(path: &Path) -> Vec<String> {
    let folder = path.parent().unwrap();
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    fs::remove_dir_all(folder).unwrap();
    names
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("sparse-rtrl-record-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}

/// Every column has a different value. A missing value is an empty field.
#[test]
fn recorder_rows_are_written_at_once_under_their_column_names() {
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
        columns_inactive: Some(13.0),
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
                  rows_without_derivative,columns_inactive,columns_masked,influence_held,gradient_cosine,\
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
    assert_eq!(fs::read_to_string(&path).unwrap(), "", "a new recorder empties the file");
    assert!(Recorder::create(&folder).is_err());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn recorder_write_puts_each_row_into_the_file_at_once() {
    let path = file("rows");
    fs::write(&path, "earlier\n".repeat(1000)).unwrap();
    let mut recorder = Recorder::create(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "", "a new recorder empties the file");
    let row = row();
    for lines in 2..4 {
        recorder.write(&row).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), lines);
    }
    assert!(matches!(Recorder::create(&path), Err(Error::InUse { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3, "the file is unchanged");
    drop(recorder);
    assert_eq!(remaining_names(&path), ["file"]);
}

fn row() -> Row {
    Row {
        seed: 1,
        rule: "rtrl".into(),
        param_sparsity: 0.5,
        iteration: 1,
        loss: 0.1,
        train_accuracy: 0.5,
        test_accuracy: None,
        activity_sparsity: 0.5,
        backward_sparsity: 0.5,
        live_share: 0.5,
        influence_density: None,
        influence_density_recurrent: None,
        rows_without_derivative: None,
        columns_inactive: None,
        columns_masked: None,
        influence_held: None,
        gradient_cosine: None,
        gradient_error: None,
        compute_adjusted_iteration: 1.0,
        density_adjusted_iteration: None,
        macs: 1,
        macs_dense: 1,
    }
}
