//! Reports count once and where they belong, however they are recorded.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::evidence::Exposures;

#[test]
fn excluded_answers_count_as_excluded_only() {
    let snapshot = snapshot();
    let resolution = served(&snapshot, |request| request.unit_kind = "tenant".to_owned());
    let mut recorder = Recorder::new(Limits::default());
    recorder.record_served(&resolution.served);
    let token = token(&snapshot, &resolution);
    let outcome = evaluate_report(&snapshot, &token, &ok()).unwrap();
    assert_eq!(outcome.subject.standing, Standing::Excluded);
    assert_eq!(recorder.record(&outcome, NOW_S), Receipt::Counted);
    let bundle = recorder.drain();
    let counts: Vec<(i32, u64)> = bundle
        .exclusions
        .iter()
        .map(|(key, count)| (key.exclusion, *count))
        .collect();
    assert_eq!(counts, [(7, 1)]);
    let rest = Bundle {
        exclusions: std::collections::BTreeMap::new(),
        ..bundle
    };
    assert!(rest.is_empty());
}

#[test]
fn outcomes_of_what_is_gone_are_foreign() {
    let before = snapshot();
    let resolution = served(&before, |_| {});
    let gone = |change: fn(&mut v1::Snapshot)| {
        let mut message = message();
        change(&mut message);
        let after = Snapshot::compile(&message, &[3; 32]).unwrap();
        let outcome = evaluate_report(&after, &token(&after, &resolution), &ok()).unwrap();
        let mut recorder = Recorder::new(Limits::default());
        recorder.record(&outcome, NOW_S);
        (outcome.subject.standing, recorder.drain().losses.foreign)
    };
    let rollout = gone(|message| {
        message.rollouts.clear();
        message.prompts.clear();
    });
    let version = gone(|message| {
        for arm in &mut message.rollouts[0].arms {
            arm.version = 3 - arm.version;
        }
    });
    assert_eq!(
        (rollout, version),
        ((Standing::Foreign, 1), (Standing::Foreign, 1))
    );
}

#[test]
fn an_answer_for_later_is_shown_when_it_is_used() {
    let snapshot = snapshot();
    let resolution = served(&snapshot, |request| {
        request.set_exposure(v1::Exposure::OnUse);
    });
    let token = token(&snapshot, &resolution);
    let subject = Subject::of(&snapshot, &token);
    let outcome = evaluate_report(&snapshot, &token, &ok()).unwrap();
    let shown = |recorder: &mut Recorder| {
        let bundle = recorder.drain();
        let totals = bundle.exposures.values().map(Exposures::totals);
        totals.fold((0, 0), |sum, cell| (sum.0 + cell.0, sum.1 + cell.1))
    };
    let mut recorder = Recorder::new(Limits::default());
    recorder.record_served(&resolution.served);
    assert_eq!(shown(&mut recorder), (0, 0), "resolving is not showing");
    assert_eq!(recorder.confirm(&subject, NOW_S), Receipt::Counted);
    assert_eq!(recorder.confirm(&subject, NOW_S), Receipt::Duplicate);
    recorder.record(&outcome, NOW_S);
    assert_eq!(shown(&mut recorder), (1, 1));
    let mut recorder = Recorder::new(Limits::default());
    recorder.record(&outcome, NOW_S);
    assert_eq!(shown(&mut recorder), (1, 1), "the outcome is the first use");
    assert_eq!(recorder.confirm(&subject, NOW_S), Receipt::Duplicate);
    let direct = served(&snapshot, |_| {});
    let direct = Subject::of(
        &snapshot,
        &snapshot.open_token(&direct.response.token, NOW_S).unwrap(),
    );
    assert_eq!(
        recorder.confirm(&direct, NOW_S),
        Receipt::Duplicate,
        "shown when resolved"
    );
}

#[test]
fn what_finds_no_room_is_dropped_and_may_come_again() {
    let snapshot = snapshot();
    let token = |unit: &str| {
        let resolution = served(&snapshot, |request| request.unit = unit.to_owned());
        token(&snapshot, &resolution)
    };
    let tokens: Vec<Token> = (0..64)
        .map(|number| token(&format!("unit {number}")))
        .collect();
    let arm = |arm: u8| {
        tokens
            .iter()
            .find(|token| token.fields().arm == arm)
            .unwrap()
    };
    let mut recorder = Recorder::new(Limits {
        strata: 1,
        ..Limits::default()
    });
    let mut report = |token: &Token| {
        let outcome = evaluate_report(&snapshot, token, &ok()).unwrap();
        recorder.record(&outcome, NOW_S)
    };
    assert_eq!(report(arm(0)), Receipt::Counted);
    assert_eq!(report(arm(1)), Receipt::Overloaded);
    assert_eq!(recorder.drain().losses.dropped_outcomes, 1);
    let outcome = evaluate_report(&snapshot, arm(1), &ok()).unwrap();
    assert_eq!(recorder.record(&outcome, NOW_S), Receipt::Counted);
}

#[test]
fn early_forgetting_is_counted() {
    let snapshot = snapshot();
    let mut recorder = Recorder::new(Limits {
        window: 2,
        ..Limits::default()
    });
    let mut evictions = |unit: &str, now_s| {
        let resolution = served(&snapshot, |request| request.unit = unit.to_owned());
        let outcome = evaluate_report(&snapshot, &token(&snapshot, &resolution), &ok()).unwrap();
        recorder.record(&outcome, now_s);
        recorder.drain().losses.deduplication_evictions
    };
    assert_eq!(evictions("a", NOW_S), 0);
    assert_eq!(evictions("b", NOW_S), 0);
    assert_eq!(evictions("c", NOW_S), 1);
    assert_eq!(
        evictions("d", NOW_S + MAX_AGE_S),
        0,
        "its token had expired"
    );
}

/// One step of a recording: a unit, what happens to its answer, and when frames leave.
type Step = (u8, u8, i64, bool);

fn play(snapshot: &Snapshot, steps: &[Step], shards: usize) -> Bundle {
    let mut recorders: Vec<Recorder> = (0..shards)
        .map(|_| Recorder::new(Limits::default()))
        .collect();
    let mut merged = Bundle::default();
    for (unit, action, value, flush) in steps {
        let resolution = served(snapshot, |request| {
            request.unit = format!("unit {unit}");
            request.set_exposure(if action % 2 == 0 {
                v1::Exposure::OnUse
            } else {
                v1::Exposure::OnResolve
            });
        });
        let token = token(snapshot, &resolution);
        let recorder = &mut recorders[token.fields().slice.index() % shards];
        recorder.record_served(&resolution.served);
        let report = v1::ReportOutcomeRequest {
            latency_us: Some(*value),
            output_tokens: Some(*value),
            input_tokens: Some(7),
            ..ok()
        };
        match action % 5 {
            0 => {
                recorder.confirm(&Subject::of(snapshot, &token), NOW_S);
            }
            1 => recorder.record_rejected(RejectCode::ForgedToken),
            _ => {
                recorder.record(&evaluate_report(snapshot, &token, &report).unwrap(), NOW_S);
            }
        }
        if *flush {
            merged = merged.merge(recorder.drain()).unwrap();
        }
    }
    let rest = recorders.iter_mut().map(Recorder::drain);
    rest.fold(merged, |merged, rest| rest.merge(merged).unwrap())
}

proptest! {
    #[test]
    fn shards_and_frames_do_not_change_the_evidence(
        steps in vec((0..20_u8, any::<u8>(), 0..5_000_000_i64, any::<bool>()), 0..60),
        shards in 1..9_usize,
    ) {
        let snapshot = snapshot();
        let at_once: Vec<Step> = steps.iter().map(|step| (step.0, step.1, step.2, false)).collect();
        let whole = play(&snapshot, &at_once, 1);
        prop_assert_eq!(play(&snapshot, &steps, shards).encode(), whole.encode());
    }

    #[test]
    fn reporting_again_changes_nothing(latency_us in 0..i64::MAX, times in 1..5_usize) {
        let snapshot = snapshot();
        let token = token(&snapshot, &served(&snapshot, |_| {}));
        let report = v1::ReportOutcomeRequest { latency_us: Some(latency_us), ..ok() };
        let outcome = evaluate_report(&snapshot, &token, &report).unwrap();
        let mut recorder = Recorder::new(Limits::default());
        recorder.record(&outcome, NOW_S);
        for _ in 0..times {
            prop_assert_eq!(recorder.record(&outcome, NOW_S), Receipt::Duplicate);
        }
        prop_assert_eq!(recorder.drain(), counted(&report));
    }
}

#[test]
fn missing_observations_are_counted_per_arm() {
    let bundle = counted(&ok());
    let keys: Vec<&MissingKey> = bundle.missing.keys().collect();
    assert!(
        keys.iter()
            .all(|key| (key.rollout, key.generation) == (9, 3))
    );
}
