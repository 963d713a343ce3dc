use super::*;

/// Inputs and target of a row.
type Row = (Vec<f64>, Option<TargetValue>);

fn columns(names: &str) -> Vec<String> {
    names.split(',').map(String::from).collect()
}

fn read(feed: &mut RowReader, names: &str, line: &str) -> std::result::Result<Option<Row>, String> {
    let mut splitter = Splitter::new(Format::Csv, b',', columns(names));
    let fields = splitter.split(line.as_bytes()).map_err(|field_error| field_error.to_string())?;
    let row = feed.read(fields).map_err(|field_error| field_error.to_string())?;
    Ok(row.map(|row| (row.x.to_vec(), row.target)))
}

#[test]
fn row_reader_inputs_are_in_column_order_with_direct_ones_last() {
    let mut spec = RowReaderSpec::new("y");
    spec.one_hot = vec!["day:3".into()];
    spec.direct = vec!["day".into()];
    let names = "day,a,y,b";
    let mut feed = RowReader::new(&spec, &columns(names)).unwrap();
    assert_eq!(feed.widths(), (2, 3));
    assert_eq!(feed.names(), ["a", "b", "day=0", "day=1", "day=2"]);
    assert_eq!(feed.standardise(), [true, true, false, false, false]);
    let row = read(&mut feed, names, "2,5,7,6").unwrap().unwrap();
    assert_eq!(row, (vec![5.0, 6.0, 0.0, 0.0, 1.0], Some(TargetValue::Value(7.0))));
}

#[test]
fn row_reader_with_a_horizon_has_the_target_as_input() {
    let mut spec = RowReaderSpec::new("y");
    spec.horizon = 2;
    let mut feed = RowReader::new(&spec, &columns("y,a")).unwrap();
    assert_eq!(read(&mut feed, "y,a", ",1").unwrap(), None, "no earlier target replaces the missing one");
    assert_eq!(read(&mut feed, "y,a", "3,1").unwrap().unwrap().0, [3.0, 1.0]);
    assert_eq!(read(&mut feed, "y,a", ",2").unwrap().unwrap(), (vec![3.0, 2.0], None));
    assert!(read(&mut feed, "y,a", "4,").unwrap_err().contains("column 'a': expected a number"));
    assert_eq!(read(&mut feed, "y,a", ",2").unwrap().unwrap().0[0], 3.0, "a bad row changes no state");
}

#[test]
fn row_reader_of_classes_numbers_names_in_order_of_appearance() {
    let mut spec = RowReaderSpec::new("c");
    (spec.target_kind, spec.classes, spec.horizon) = (TargetKind::Classes, Some("2".into()), 1);
    let mut feed = RowReader::new(&spec, &columns("c,a")).unwrap();
    assert_eq!(feed.names(), ["c=#0", "c=#1", "a"]);
    assert_eq!(
        read(&mut feed, "c,a", "x,1").unwrap().unwrap(),
        (vec![1.0, 0.0, 1.0], Some(TargetValue::Class(0)))
    );
    assert!(read(&mut feed, "c,a", "y,bad").is_err());
    assert_eq!(
        read(&mut feed, "c,a", "z,1").unwrap().unwrap().0,
        [0.0, 1.0, 1.0],
        "the bad row does not add y"
    );
    assert!(read(&mut feed, "c,a", "y,1").unwrap_err().contains("one of 2 names (x, z), got 'y'"));
    assert_eq!(read(&mut feed, "c,a", ",1").unwrap().unwrap(), (vec![0.0, 1.0, 1.0], None));
}

#[test]
fn row_reader_of_several_streams_finds_them_by_name() {
    let mut spec = RowReaderSpec::new("y");
    (spec.group, spec.streams, spec.horizon) = (Some("who".into()), 2, 1);
    let names = columns("who,y");
    let mut feed = RowReader::new(&spec, &names).unwrap();
    let mut splitter = Splitter::new(Format::Csv, b',', names);
    let mut stream = |line: &[u8]| {
        let read = feed.read(splitter.split(line).unwrap()).map_err(|field_error| field_error.to_string())?;
        Ok::<_, String>(read.map(|row| (row.stream, row.x[0])))
    };
    assert_eq!(stream(b"a,1").unwrap(), Some((0, 1.0)));
    assert_eq!(stream(b"b,").unwrap(), None, "a target of stream a does not replace one of stream b");
    assert_eq!(stream(b"b,2").unwrap(), Some((1, 2.0)));
    assert_eq!(stream(b"a,").unwrap(), Some((0, 1.0)));
    assert_eq!(stream(b"c,1").unwrap_err(), "column 'who': expected one of 2 streams (--streams), got 'c'");
}

#[test]
fn row_reader_of_an_outlier_returns_an_error() {
    let mut spec = RowReaderSpec::new("y");
    spec.outlier_limit = Some(50.0);
    let mut feed = RowReader::new(&spec, &columns("y,a")).unwrap();
    for k in 0..WARM_UP {
        read(&mut feed, "y,a", &format!("{},{}", k % 7, k % 5)).unwrap();
    }
    assert!(
        read(&mut feed, "y,a", "99999,1").unwrap_err().contains("column 'y': expected a value within 50")
    );
    assert!(read(&mut feed, "y,a", "1,-99999").unwrap_err().contains("column 'a'"));
    assert!(read(&mut feed, "y,a", "20,1").is_ok());
}

#[test]
fn row_reader_spec_that_contradicts_the_columns_is_an_error() {
    let message = |change: &dyn Fn(&mut RowReaderSpec)| {
        let mut spec = RowReaderSpec::new("y");
        change(&mut spec);
        RowReader::new(&spec, &columns("y,a,b")).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(message(&|_| {}), "");
    assert_eq!(message(&|s| s.target = "z".into()), "target: expected one of the columns y, a, b, got z");
    assert!(message(&|s| s.features = Some(vec!["z".into()])).starts_with("features: "));
    assert!(message(&|s| s.features = Some(vec!["y".into()])).contains("not the target"));
    assert!(message(&|s| s.cyclic = vec!["z:3".into()]).contains("among the features"));
    assert!(
        message(&|s| (s.cyclic, s.one_hot) = (vec!["a:3".into()], vec!["a:3".into()]))
            .contains("one encoding")
    );
    assert!(message(&|s| s.direct = vec!["z".into()]).starts_with("direct: "));
    assert!(message(&|s| s.direct = vec!["a".into(), "b".into()]).contains("for the network"));
    assert!(message(&|s| s.group = Some("b".into())).starts_with("streams: "));
    assert!(message(&|s| s.streams = 2).starts_with("streams: "));
    assert!(message(&|s| s.target_kind = TargetKind::Classes).starts_with("classes: "));
    assert!(message(&|s| s.classes = Some("3".into())).starts_with("classes: "));
    assert!(message(&|s| s.outlier_limit = Some(-1.0)).starts_with("outlier-limit: "));
    let binary = |s: &mut RowReaderSpec| (s.target_kind, s.classes) = (TargetKind::Binary, Some("3".into()));
    assert!(message(&|s| binary(s)).contains("2, for a binary task"));
}

#[test]
fn row_reader_restored_reads_the_same_rows() {
    let mut spec = RowReaderSpec::new("c");
    (spec.target_kind, spec.classes, spec.horizon) = (TargetKind::Classes, Some("3".into()), 1);
    spec.one_hot = vec!["a:seen-2".into()];
    let names = "c,a,b";
    let new = || RowReader::new(&spec, &columns(names)).unwrap();
    let mut feed = new();
    read(&mut feed, names, "x,u,5").unwrap();
    read(&mut feed, names, "y,v,6").unwrap();
    let mut archive = Archive::writer();
    feed.archive(&mut archive).unwrap();
    let bytes = archive.into_bytes();
    let mut restored = new();
    let mut archive = Archive::reader(bytes.clone());
    restored.archive(&mut archive).unwrap();
    archive.finish().unwrap();
    for line in [",v,1", "z,u,2", "x,w,1"] {
        assert_eq!(read(&mut feed, names, line), read(&mut restored, names, line));
    }
    for cut in 0..bytes.len() {
        new().archive(&mut Archive::reader(bytes[..cut].to_vec())).unwrap_err();
    }
}

mod resumed;
mod rows;
