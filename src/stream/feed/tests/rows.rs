//! The result of a row: the order of inputs, the state that is kept, and the outlier limit.

use super::*;

fn feed(names: &str, change: impl Fn(&mut RowReaderSpec)) -> RowReader {
    let mut spec = RowReaderSpec::new("y");
    change(&mut spec);
    RowReader::new(&spec, &columns(names)).unwrap()
}

fn bytes(feed: &mut RowReader) -> Vec<u8> {
    let mut archive = Archive::writer();
    feed.archive(&mut archive).unwrap();
    archive.into_bytes()
}

#[test]
fn row_reader_spec_of_a_target_has_the_expected_defaults() {
    let RowReaderSpec {
        target,
        horizon,
        target_kind: task,
        classes,
        features,
        cyclic,
        one_hot,
        direct,
        group,
        streams,
        outlier_limit,
    } = RowReaderSpec::new("y");
    assert_eq!(
        (target.as_str(), horizon, task, classes, features),
        ("y", 0, TargetKind::Regression, None, None)
    );
    assert!(cyclic.is_empty() && one_hot.is_empty() && direct.is_empty() && group.is_none());
    assert_eq!((streams, outlier_limit), (1, Some(1000.0)));
}

#[test]
fn row_reader_features_are_in_the_listed_order() {
    let names = "a,y,b,c";
    let mut feed = feed(names, |spec| {
        spec.features = Some(["c", "b", "y", "a"].map(String::from).into());
        (spec.horizon, spec.direct) = (1, vec!["a".into(), "c".into()]);
        spec.cyclic = vec!["b:4".into()];
    });
    assert_eq!(feed.names(), ["b.sin", "b.cos", "y", "c", "a"]);
    assert_eq!((feed.widths(), feed.standardise()), ((3, 2), vec![false, false, true, true, true]));
    let (x, target) = read(&mut feed, names, "5,6,1,7").unwrap().unwrap();
    approx::assert_abs_diff_eq!(x[..], [1.0, 0.0, 6.0, 7.0, 5.0], epsilon = 1e-12);
    assert_eq!(target, Some(TargetValue::Value(6.0)));
}

#[test]
fn row_reader_group_column_is_a_feature_only_if_listed() {
    let grouped = |features: Option<Vec<String>>| {
        feed("who,y,a", |spec| {
            (spec.group, spec.streams) = (Some("who".into()), 2);
            spec.features.clone_from(&features);
        })
        .names()
    };
    assert_eq!(grouped(None), ["a"]);
    assert_eq!(grouped(Some(vec!["who".into(), "a".into()])), ["who", "a"]);
}

#[test]
fn row_reader_binary_target_with_a_horizon_is_one_standardised_input() {
    let mut feed = feed("y,a", |spec| (spec.target_kind, spec.horizon) = (TargetKind::Binary, 1));
    assert_eq!((feed.names(), feed.widths()), (vec!["y".to_string(), "a".into()], (2, 0)));
    assert_eq!(feed.standardise(), [true, true]);
    let row = |feed: &mut RowReader, line| read(feed, "y,a", line).unwrap().unwrap();
    assert_eq!(row(&mut feed, "1,5"), (vec![1.0, 5.0], Some(TargetValue::Class(1))));
    assert_eq!(row(&mut feed, "0,6"), (vec![0.0, 6.0], Some(TargetValue::Class(0))));
    assert_eq!(row(&mut feed, ",7"), (vec![0.0, 7.0], None));
}

#[test]
fn row_reader_class_target_with_a_horizon_is_a_unit_vector() {
    let feed = feed("y,a", |spec| {
        (spec.target_kind, spec.classes, spec.horizon) = (TargetKind::Classes, Some("p,q,r".into()), 1);
    });
    assert_eq!(feed.names(), ["y=p", "y=q", "y=r", "a"]);
    assert_eq!((feed.widths(), feed.standardise()), ((4, 0), vec![false, false, false, true]));
}

/// The limit applies after 100 values, not after 99. A value at the limit is accepted.
#[test]
fn row_reader_after_100_values_refuses_values_beyond_the_limit() {
    let (mut feed, names) = (feed("y,a", |spec| spec.outlier_limit = Some(3.0)), "y,a");
    // Mean and deviation are exactly 1.
    let row = |k: u32| if k.is_multiple_of(2) { "0,0" } else { "2,2" };
    for k in 0..98 {
        read(&mut feed, names, row(k)).unwrap();
    }
    let mut early =
        RowReader { moments: feed.moments, ..self::feed(names, |spec| spec.outlier_limit = Some(3.0)) };
    early.features[0].moments = feed.features[0].moments;
    read(&mut early, names, "0,0").unwrap();
    assert!(read(&mut early, names, "9,9").is_ok(), "after 99 values the limit does not apply");
    for k in 98..100 {
        read(&mut feed, names, row(k)).unwrap();
    }
    let before = bytes(&mut feed);
    for (wrong, column) in [("4.0000001,1", "y"), ("-2.0000001,1", "y"), ("1,4.0000001", "a"), ("0,-3", "a")]
    {
        let message = read(&mut feed, names, wrong).unwrap_err();
        let expected = "expected a value within 3 standard deviations (1.000e0) of 1.000000, got '";
        assert_eq!(
            message.split_inclusive(", got '").next(),
            Some(&*format!("column '{column}': {expected}"))
        );
        assert!(bytes(&mut feed) == before, "a refused row changes no state");
    }
    assert!(read(&mut feed, names, "4,-2").is_ok());
}

/// If a target is missing and no earlier one replaces it, only the name of the stream is kept.
#[test]
fn row_reader_without_a_known_target_keeps_only_the_stream() {
    let names = "who,y,a";
    let mut feed = feed(names, |spec| {
        (spec.group, spec.streams, spec.horizon) = (Some("who".into()), 3, 1);
    });
    read(&mut feed, names, "k,1,5").unwrap();
    assert_eq!((feed.stream(), feed.features[1].moments.count(), feed.moments.count()), (0, 1, 1));
    assert_eq!(read(&mut feed, names, "m,,7").unwrap(), None);
    assert_eq!((feed.stream(), feed.stream_name(1)), (1, Some("m")));
    assert_eq!((feed.features[1].moments.count(), feed.moments.count()), (1, 1));
    // A bad row adds no stream.
    assert!(read(&mut feed, names, "n,2,x").is_err());
    assert_eq!((feed.stream(), feed.stream_name(2), feed.last[2]), (1, None, None));
    // The earlier target is an input and is not counted as a target.
    read(&mut feed, names, "k,,9").unwrap().unwrap();
    assert_eq!((feed.features[1].moments.count(), feed.moments.count()), (2, 1));
    assert_eq!((feed.features[1].moments.mean(), feed.moments.mean()), (7.0, 1.0));
}

#[test]
fn row_reader_without_horizon_returns_a_missing_target_as_none() {
    let mut feed = feed("y,a", |_| {});
    assert_eq!(read(&mut feed, "y,a", ",4").unwrap().unwrap(), (vec![4.0], None));
    assert_eq!(feed.moments.count(), 0);
}

#[test]
fn row_reader_spec_outlier_limit_accepts_any_number_above_zero() {
    let made = |limit| {
        let spec = RowReaderSpec { outlier_limit: limit, ..RowReaderSpec::new("y") };
        RowReader::new(&spec, &columns("y,a")).is_ok()
    };
    assert!(made(None) && made(Some(1e-9)) && made(Some(f64::INFINITY)));
    assert!(!made(Some(0.0)) && !made(Some(f64::NAN)));
}

/// The moments of a number are its own, also after a target of three classes and a one-hot feature
/// of three names.
#[test]
fn row_reader_with_wide_inputs_keeps_names_and_moments() {
    let names = "y,b,a";
    let mut feed = feed(names, |spec| {
        (spec.target_kind, spec.classes, spec.horizon) = (TargetKind::Classes, Some("3".into()), 1);
        spec.one_hot = vec!["b:seen-3".into()];
    });
    let mut row = |line: &str| read(&mut feed, names, line).map(|row| row.unwrap());
    assert_eq!(
        row("p,u,10").unwrap(),
        (vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 10.0], Some(TargetValue::Class(0)))
    );
    assert!(row("q,v,x").is_err(), "a bad row adds no name");
    assert_eq!(
        row("r,w,30").unwrap(),
        (vec![0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 30.0], Some(TargetValue::Class(1)))
    );
    assert_eq!(
        row("q,v,20").unwrap(),
        (vec![0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 20.0], Some(TargetValue::Class(2)))
    );
    assert_eq!(row("p,u,60").unwrap().0, [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 60.0]);
    assert!(row("p,t,1").is_err() && row("s,u,1").is_err(), "a fourth name is an error");
    assert_eq!(feed.names(), ["y=p", "y=r", "y=q", "b=u", "b=w", "b=v", "a"]);
    let moments = feed.features[2].moments;
    assert_eq!((moments.count(), moments.mean()), (4, 30.0));
    assert_eq!((feed.features[0].moments.count(), feed.features[1].moments.count()), (0, 0));
}
