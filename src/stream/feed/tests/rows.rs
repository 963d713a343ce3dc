//! What becomes of a row: inputs in order, what is remembered of it, and where a value stops being believed.

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
fn spec_of_a_target_has_these_defaults() {
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
        outlier_limit: absurd,
    } = RowReaderSpec::new("y");
    assert_eq!(
        (target.as_str(), horizon, task, classes, features),
        ("y", 0, TargetKind::Regression, None, None)
    );
    assert!(cyclic.is_empty() && one_hot.is_empty() && direct.is_empty() && group.is_none());
    assert_eq!((streams, absurd), (1, Some(1000.0)));
}

#[test]
fn features_come_in_the_order_they_are_listed() {
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
    assert_eq!(target, Some(Truth::Value(6.0)));
}

#[test]
fn group_column_is_no_feature_unless_listed() {
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
fn binary_target_is_one_standardised_input_under_a_horizon() {
    let mut feed = feed("y,a", |spec| (spec.target_kind, spec.horizon) = (TargetKind::Binary, 1));
    assert_eq!((feed.names(), feed.widths()), (vec!["y".to_string(), "a".into()], (2, 0)));
    assert_eq!(feed.standardise(), [true, true]);
    let row = |feed: &mut RowReader, line| read(feed, "y,a", line).unwrap().unwrap();
    assert_eq!(row(&mut feed, "1,5"), (vec![1.0, 5.0], Some(Truth::Class(1))));
    assert_eq!(row(&mut feed, "0,6"), (vec![0.0, 6.0], Some(Truth::Class(0))));
    assert_eq!(row(&mut feed, ",7"), (vec![0.0, 7.0], None));
}

#[test]
fn class_target_is_unit_vector_and_not_standardised() {
    let feed = feed("y,a", |spec| {
        (spec.target_kind, spec.classes, spec.horizon) = (TargetKind::Classes, Some("p,q,r".into()), 1);
    });
    assert_eq!(feed.names(), ["y=p", "y=q", "y=r", "a"]);
    assert_eq!((feed.widths(), feed.standardise()), ((4, 0), vec![false, false, false, true]));
}

/// 99 values are too few to judge the next by; a hundred are enough, and the limit itself is within.
#[test]
fn value_is_judged_from_the_hundredth_on_and_up_to_the_limit() {
    let (mut feed, names) = (feed("y,a", |spec| spec.outlier_limit = Some(3.0)), "y,a");
    // Mean 1 and deviation 1, to the bit.
    let row = |k: u32| if k.is_multiple_of(2) { "0,0" } else { "2,2" };
    for k in 0..98 {
        read(&mut feed, names, row(k)).unwrap();
    }
    let mut early =
        RowReader { moments: feed.moments, ..self::feed(names, |spec| spec.outlier_limit = Some(3.0)) };
    early.features[0].moments = feed.features[0].moments;
    read(&mut early, names, "0,0").unwrap();
    assert!(read(&mut early, names, "9,9").is_ok(), "99 came before");
    for k in 98..100 {
        read(&mut feed, names, row(k)).unwrap();
    }
    let before = bytes(&mut feed);
    for (wrong, column) in [("4.0000001,1", "y"), ("-2.0000001,1", "y"), ("1,4.0000001", "a"), ("0,-3", "a")]
    {
        let said = read(&mut feed, names, wrong).unwrap_err();
        let expected = "expected a value within 3 standard deviations (1.000e0) of 1.000000, got '";
        assert_eq!(said.split_inclusive(", got '").next(), Some(&*format!("column '{column}': {expected}")));
        assert!(bytes(&mut feed) == before, "what is not believed is not remembered");
    }
    assert!(read(&mut feed, names, "4,-2").is_ok());
}

/// A missing target with nothing to stand in for it: the name of the stream is taken in, and nothing else.
#[test]
fn row_without_a_known_target_leaves_its_stream_only() {
    let names = "who,y,a";
    let mut feed = feed(names, |spec| {
        (spec.group, spec.streams, spec.horizon) = (Some("who".into()), 3, 1);
    });
    read(&mut feed, names, "k,1,5").unwrap();
    assert_eq!((feed.stream(), feed.features[1].moments.count(), feed.moments.count()), (0, 1, 1));
    assert_eq!(read(&mut feed, names, "m,,7").unwrap(), None);
    assert_eq!((feed.stream(), feed.stream_name(1)), (1, Some("m")));
    assert_eq!((feed.features[1].moments.count(), feed.moments.count()), (1, 1));
    // A bad row names no stream.
    assert!(read(&mut feed, names, "n,2,x").is_err());
    assert_eq!((feed.stream(), feed.stream_name(2), feed.last[2]), (1, None, None));
    // A stand-in is an input, and no target that came.
    read(&mut feed, names, "k,,9").unwrap().unwrap();
    assert_eq!((feed.features[1].moments.count(), feed.moments.count()), (2, 1));
    assert_eq!((feed.features[1].moments.mean(), feed.moments.mean()), (7.0, 1.0));
}

#[test]
fn missing_target_without_horizon_is_a_row_without_one() {
    let mut feed = feed("y,a", |_| {});
    assert_eq!(read(&mut feed, "y,a", ",4").unwrap().unwrap(), (vec![4.0], None));
    assert_eq!(feed.moments.count(), 0);
}

#[test]
fn absurd_may_be_any_number_above_zero() {
    let made = |limit| {
        let spec = RowReaderSpec { outlier_limit: limit, ..RowReaderSpec::new("y") };
        RowReader::new(&spec, &columns("y,a")).is_ok()
    };
    assert!(made(None) && made(Some(1e-9)) && made(Some(f64::INFINITY)));
    assert!(!made(Some(0.0)) && !made(Some(f64::NAN)));
}

/// Behind a target of three classes and a place among three names, numbers are still remembered as themselves.
#[test]
fn names_and_numbers_behind_wide_inputs_are_remembered() {
    let names = "y,b,a";
    let mut feed = feed(names, |spec| {
        (spec.target_kind, spec.classes, spec.horizon) = (TargetKind::Classes, Some("3".into()), 1);
        spec.one_hot = vec!["b:seen-3".into()];
    });
    let mut row = |line: &str| read(&mut feed, names, line).map(|row| row.unwrap());
    assert_eq!(row("p,u,10").unwrap(), (vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 10.0], Some(Truth::Class(0))));
    assert!(row("q,v,x").is_err(), "of a bad row no name stays");
    assert_eq!(row("r,w,30").unwrap(), (vec![0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 30.0], Some(Truth::Class(1))));
    assert_eq!(row("q,v,20").unwrap(), (vec![0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 20.0], Some(Truth::Class(2))));
    assert_eq!(row("p,u,60").unwrap().0, [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 60.0]);
    assert!(row("p,t,1").is_err() && row("s,u,1").is_err(), "there is no room for a fourth");
    assert_eq!(feed.names(), ["y=p", "y=r", "y=q", "b=u", "b=w", "b=v", "a"]);
    let moments = feed.features[2].moments;
    assert_eq!((moments.count(), moments.mean()), (4, 30.0));
    assert_eq!((feed.features[0].moments.count(), feed.features[1].moments.count()), (0, 0));
}
