//! The rules of resolving, one by one, on a snapshot with one rollout.

use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::assign::SLOT_COUNT;
use crate::v1::{Exclusion, Reason};

const SECRET: [u8; 32] = [7; 32];
const NOW_S: u64 = 1_795_000_000;

fn version(id: u32, text: &str) -> v1::Version {
    v1::Version {
        id,
        r#ref: Some(v1::VersionRef {
            name: "greet".to_owned(),
            number: id,
            digest: format!("sha256:{id:064x}"),
        }),
        content: Some(v1::version::Content::Text(text.to_owned())),
        parameters_json: r#"{"temperature":0.2}"#.to_owned(),
        output_schema_json: String::new(),
        ..Default::default()
    }
}

fn arm(index: u32, name: &str, version: u32, ranges: &[(u32, u32)]) -> v1::Arm {
    let ranges = ranges.iter().map(|(start, end)| v1::SlotRange {
        start: *start,
        end: *end,
    });
    v1::Arm {
        index,
        name: name.to_owned(),
        version,
        ranges: ranges.collect(),
        withdrawn: false,
    }
}

/// Candidate in the lower `share` of the slots, baseline in the rest.
fn message(share: u32) -> v1::Snapshot {
    let rollout = v1::Rollout {
        id: 9,
        name: "greet-v2".to_owned(),
        unit_kind: "user".to_owned(),
        salt: "salt".to_owned(),
        analysis_generation: 3,
        allocation_epoch: 5,
        arms: vec![
            arm(0, "baseline", 1, &[(share, SLOT_COUNT)]),
            arm(1, "candidate", 2, &[(0, share)]),
        ],
        ..Default::default()
    };
    let label = |label: &str, version, rollout| v1::LabelTarget {
        label: label.to_owned(),
        version,
        rollout,
    };
    v1::Snapshot {
        config_version: Some(v1::ConfigVersion {
            store_incarnation: 1,
            revision: 44,
        }),
        namespace: "default".to_owned(),
        environment: "production".to_owned(),
        namespace_salt: "namespace".to_owned(),
        token_keys: vec![v1::TokenKey {
            key_id: 1,
            secret: vec![1; 32].into(),
        }],
        issuing_key: 1,
        token_max_age_s: 3600,
        versions: vec![
            version(1, "Hello {{name}}"),
            version(2, "Hi {{name}} {{mood}}"),
        ],
        prompts: vec![v1::Prompt {
            name: "greet".to_owned(),
            labels: vec![label("production", 1, 9), label("stable", 1, 0)],
        }],
        rollouts: vec![rollout],
        ..Default::default()
    }
}

fn compile(message: &v1::Snapshot) -> Snapshot {
    Snapshot::compile(message, &SECRET).unwrap()
}

fn ask(unit: &str) -> v1::ResolvePromptRequest {
    v1::ResolvePromptRequest {
        prompt: "greet".to_owned(),
        unit: unit.to_owned(),
        ..Default::default()
    }
}

fn answer(snapshot: &Snapshot, request: &v1::ResolvePromptRequest) -> Resolution {
    resolve(snapshot, request, NOW_S, 99, &LocalState::default()).unwrap()
}

fn with_pin(unit: &str, previous: &Resolution) -> v1::ResolvePromptRequest {
    v1::ResolvePromptRequest {
        pin: previous.response.token.to_vec().into(),
        ..ask(unit)
    }
}

/// What the tests look at: arm, reason, and why it is not compared.
fn gist(resolution: &Resolution) -> (&str, Reason, Option<Exclusion>) {
    let response = &resolution.response;
    (&response.arm, response.reason, resolution.served.exclusion)
}

#[test]
fn a_unit_is_split_by_its_slot() {
    let all = answer(&compile(&message(SLOT_COUNT - 1)), &ask("ada"));
    assert_eq!(gist(&all), ("candidate", Reason::Split, None));
    let none = answer(&compile(&message(1)), &ask("ada"));
    assert_eq!(gist(&none), ("baseline", Reason::Split, None));
    let token = all.served.token;
    assert_eq!((token.rollout, token.version, token.arm), (9, 2, 1));
    assert_eq!((token.origin_epoch, token.serve_epoch), (5, 5));
    assert!(token.flags.contains(Flags::ANALYSABLE));
    assert_eq!(all.served.generation, 3);
    assert!(all.served.unit_hash.is_some());
    assert_ne!(
        all.served.unit_hash,
        answer(&compile(&message(1)), &ask("bob")).served.unit_hash
    );
}

#[test]
fn the_token_opens_again() {
    let snapshot = compile(&message(1));
    let resolution = answer(&snapshot, &ask("ada"));
    let token = snapshot
        .open_token(&resolution.response.token, NOW_S)
        .unwrap();
    assert_eq!(*token.fields(), resolution.served.token);
}

#[test]
fn a_label_without_a_rollout_is_the_default() {
    let request = v1::ResolvePromptRequest {
        label: "stable".to_owned(),
        ..ask("ada")
    };
    let resolution = answer(&compile(&message(SLOT_COUNT - 1)), &request);
    assert_eq!(gist(&resolution), ("baseline", Reason::Default, None));
    assert_eq!(resolution.served.token.rollout, 0);
    assert_eq!(resolution.served.unit_hash, None);
}

#[test]
fn only_names_that_are_unknown_fail() {
    let snapshot = compile(&message(1));
    let fail = |request| resolve(&snapshot, &request, NOW_S, 0, &LocalState::default());
    let prompt = v1::ResolvePromptRequest {
        prompt: "other".to_owned(),
        ..ask("ada")
    };
    let label = v1::ResolvePromptRequest {
        label: "other".to_owned(),
        ..ask("ada")
    };
    let environment = v1::ResolvePromptRequest {
        environment: "staging".to_owned(),
        ..ask("ada")
    };
    for request in [prompt, label, environment] {
        assert_eq!(fail(request).map_err(|error| error.code()), Err(5));
    }
}

#[test]
fn units_outside_the_eligible_segment_get_the_label() {
    let mut message = message(SLOT_COUNT - 1);
    let country = v1::AttributeTest {
        attribute: "country".to_owned(),
        value: Some(text("FR")),
    };
    message.segments = vec![v1::Segment {
        id: 4,
        name: "french".to_owned(),
        condition: Some(v1::Condition {
            test: Some(v1::condition::Test::Equals(country)),
        }),
    }];
    message.rollouts[0].eligible = "french".to_owned();
    message.rollouts[0].strata = vec!["french".to_owned()];
    let snapshot = compile(&message);
    assert_eq!(
        gist(&answer(&snapshot, &ask("ada"))),
        ("baseline", Reason::Default, None)
    );
    let mut request = ask("ada");
    request.attributes.insert("country".to_owned(), text("FR"));
    let resolution = answer(&snapshot, &request);
    assert_eq!(gist(&resolution), ("candidate", Reason::Split, None));
    assert_eq!(resolution.served.token.segment_mask, 1 << 4);
}

fn text(text: &str) -> v1::AttributeValue {
    v1::AttributeValue {
        value: Some(v1::attribute_value::Value::Text(text.to_owned())),
    }
}

#[test]
fn without_a_unit_the_request_is_the_unit() {
    let snapshot = compile(&message(SLOT_COUNT / 2));
    let resolution = answer(&snapshot, &ask(""));
    assert_eq!(resolution.served.exclusion, Some(Exclusion::NoUnit));
    assert_eq!(resolution.response.detail, detail::NO_UNIT);
    let arms: std::collections::BTreeSet<_> = (0..64)
        .map(|nonce| resolve(&snapshot, &ask(""), NOW_S, nonce, &LocalState::default()).unwrap())
        .map(|resolution| resolution.served.token.arm)
        .collect();
    assert_eq!(arms.len(), 2, "both arms are served");
    let mut message = message(SLOT_COUNT / 2);
    message.rollouts[0].unit_kind = "request".to_owned();
    let resolution = answer(&compile(&message), &ask(""));
    assert_eq!(
        resolution.served.exclusion, None,
        "the rollout splits by request"
    );
}

#[test]
fn a_unit_of_another_kind_is_not_compared() {
    let request = v1::ResolvePromptRequest {
        unit_kind: "tenant".to_owned(),
        ..ask("ada")
    };
    let resolution = answer(&compile(&message(1)), &request);
    assert_eq!(resolution.served.exclusion, Some(Exclusion::NoUnit));
    assert_eq!(resolution.response.detail, detail::OTHER_KIND);
}

#[test]
fn a_pinned_conversation_keeps_its_arm_and_epoch_over_a_ramp() {
    let first = answer(&compile(&message(1)), &ask("ada"));
    let mut ramped = message(SLOT_COUNT - 1);
    ramped.rollouts[0].allocation_epoch = 6;
    let ramped = compile(&ramped);
    assert_eq!(
        answer(&ramped, &ask("ada")).response.arm.as_ref(),
        "candidate"
    );
    let second = answer(&ramped, &with_pin("ada", &first));
    assert_eq!(gist(&second), ("baseline", Reason::Pinned, None));
    let token = second.served.token;
    assert_eq!((token.origin_epoch, token.serve_epoch), (5, 6));
    assert!(token.flags.contains(Flags::PINNED));
    assert_eq!(second.served.unit_hash, None, "it was assigned before");
}

#[test]
fn a_pin_of_another_unit_is_ignored() {
    let snapshot = compile(&message(SLOT_COUNT - 1));
    let first = answer(&snapshot, &ask("ada"));
    let stolen = answer(&snapshot, &with_pin("bob", &first));
    assert_eq!(gist(&stolen), ("candidate", Reason::Split, None));
    assert_eq!(stolen.response.detail, detail::PIN_REFUSED);
    let expired = resolve(
        &snapshot,
        &with_pin("ada", &first),
        NOW_S + 3601,
        1,
        &LocalState::default(),
    );
    assert_eq!(expired.unwrap().response.detail, detail::PIN_REFUSED);
}

fn withdrawn(on_rollback: v1::OnRollback) -> Snapshot {
    let mut message = message(0);
    message.rollouts[0].arms[1].ranges.clear();
    message.rollouts[0].arms[1].withdrawn = true;
    message.rollouts[0].on_rollback = on_rollback.into();
    compile(&message)
}

#[test]
fn a_rollback_moves_pinned_conversations_as_the_rollout_says() {
    let first = answer(&compile(&message(SLOT_COUNT - 1)), &ask("ada"));
    let turn = |on_rollback| answer(&withdrawn(on_rollback), &with_pin("ada", &first));
    let finished = turn(v1::OnRollback::FinishPinned);
    assert_eq!(gist(&finished), ("candidate", Reason::Pinned, None));
    for on_rollback in [v1::OnRollback::Unspecified, v1::OnRollback::NextTurn] {
        let moved = turn(on_rollback);
        assert_eq!(
            gist(&moved),
            ("baseline", Reason::Split, Some(Exclusion::Mixed))
        );
        assert_eq!(moved.response.detail, "");
    }
    let moved = turn(v1::OnRollback::Immediate);
    assert_eq!(moved.response.detail, detail::ROLLED_BACK);
    assert!(moved.served.token.flags.contains(Flags::MIXED));
    let later = answer(
        &withdrawn(v1::OnRollback::NextTurn),
        &with_pin("ada", &moved),
    );
    assert_eq!(
        gist(&later),
        ("baseline", Reason::Pinned, Some(Exclusion::Mixed))
    );
    let fresh = answer(&withdrawn(v1::OnRollback::NextTurn), &ask("ada"));
    assert_eq!(gist(&fresh), ("baseline", Reason::Split, None));
}

#[test]
fn a_conversation_from_before_the_rollout_stays_on_the_baseline() {
    let mut before = message(1);
    before.prompts[0].labels[0].rollout = 0;
    before.rollouts.clear();
    let first = answer(&compile(&before), &ask("ada"));
    let during = compile(&message(SLOT_COUNT - 1));
    let second = answer(&during, &with_pin("ada", &first));
    assert_eq!(
        gist(&second),
        ("baseline", Reason::Pinned, Some(Exclusion::Forced))
    );
    let third = answer(&during, &with_pin("ada", &second));
    assert_eq!(
        gist(&third),
        ("baseline", Reason::Pinned, Some(Exclusion::Forced))
    );
}

/// The configuration after a rollout: its label points at a version, without rollout.
fn ended(version: u32, change: impl FnOnce(&mut v1::Rollout)) -> Snapshot {
    let mut after = message(1);
    after.prompts[0].labels[0].rollout = 0;
    after.prompts[0].labels[0].version = version;
    change(&mut after.rollouts[0]);
    compile(&after)
}

#[test]
fn a_conversation_outlives_its_promoted_rollout() {
    let candidate = answer(&compile(&message(SLOT_COUNT - 1)), &ask("ada"));
    let baseline = answer(&compile(&message(1)), &ask("ada"));
    let promoted = ended(2, |_| {});
    for (first, arm) in [(candidate, "candidate"), (baseline, "baseline")] {
        let later = answer(&promoted, &with_pin("ada", &first));
        assert_eq!(gist(&later), (arm, Reason::Pinned, None));
        assert_eq!(later.served.token.rollout, 9, "its scores belong there");
    }
    let fresh = answer(&promoted, &ask("ada"));
    assert_eq!(
        (fresh.served.token.rollout, fresh.served.token.version),
        (0, 2)
    );
}

#[test]
fn a_version_that_was_taken_back_is_served_to_no_pin_unless_it_may_finish() {
    let candidate = answer(&compile(&message(SLOT_COUNT - 1)), &ask("ada"));
    let turn = |snapshot: &Snapshot| answer(snapshot, &with_pin("ada", &candidate));
    let moved = ("baseline", Reason::Default, Some(Exclusion::Mixed));
    // Rolled back, or promoted and then moved back by hand.
    for withdrawn in [true, false] {
        let after = ended(1, |rollout| rollout.arms[1].withdrawn = withdrawn);
        assert_eq!(gist(&turn(&after)), moved);
        let finishing = ended(1, |rollout| {
            rollout.arms[1].withdrawn = withdrawn;
            rollout.on_rollback = v1::OnRollback::FinishPinned.into();
        });
        assert_eq!(gist(&turn(&finishing)), ("candidate", Reason::Pinned, None));
    }
    let immediate = ended(1, |rollout| {
        rollout.on_rollback = v1::OnRollback::Immediate.into();
    });
    assert_eq!(turn(&immediate).response.detail, detail::ROLLED_BACK);
}

#[test]
fn without_its_rollout_a_conversation_follows_the_label() {
    let candidate = answer(&compile(&message(SLOT_COUNT - 1)), &ask("ada"));
    let forgotten = |version| {
        let mut after = message(1);
        after.rollouts.clear();
        after.prompts[0].labels[0].rollout = 0;
        after.prompts[0].labels[0].version = version;
        answer(&compile(&after), &with_pin("ada", &candidate))
    };
    assert_eq!(gist(&forgotten(2)), ("baseline", Reason::Pinned, None));
    let moved = ("baseline", Reason::Default, Some(Exclusion::Mixed));
    assert_eq!(gist(&forgotten(1)), moved);
    let mut message = message(1);
    message.versions.push(version(3, "Hey {{name}}"));
    message.prompts[0].labels[0].rollout = 0;
    message.prompts[0].labels[0].version = 3;
    let elsewhere = answer(&compile(&message), &with_pin("ada", &candidate));
    assert_eq!(gist(&elsewhere), moved, "the label has left both arms");
}

#[test]
fn brakes_take_both_arms_out_of_the_comparison() {
    let tripped = LocalState {
        tripped: &[9],
        ..LocalState::default()
    };
    let unattended = LocalState {
        unattended: true,
        ..LocalState::default()
    };
    for (local, reason, exclusion) in [
        (tripped, Reason::Breaker, Exclusion::Breaker),
        (unattended, Reason::Unattended, Exclusion::Unattended),
    ] {
        let candidate = compile(&message(SLOT_COUNT - 1));
        let braked = resolve(&candidate, &ask("ada"), NOW_S, 1, &local).unwrap();
        assert_eq!(gist(&braked), ("baseline", reason, Some(exclusion)));
        assert_eq!((braked.served.assigned, braked.served.token.arm), (1, 0));
        let baseline = resolve(&compile(&message(1)), &ask("ada"), NOW_S, 1, &local).unwrap();
        assert_eq!(
            gist(&baseline),
            ("baseline", Reason::Split, Some(exclusion))
        );
        let first = answer(&candidate, &ask("ada"));
        let pinned = resolve(&candidate, &with_pin("ada", &first), NOW_S, 1, &local).unwrap();
        assert_eq!(gist(&pinned), ("baseline", reason, Some(exclusion)));
        assert!(pinned.served.token.flags.contains(Flags::MIXED));
        let later = answer(&candidate, &with_pin("ada", &pinned));
        assert_eq!(
            gist(&later),
            ("baseline", Reason::Pinned, Some(Exclusion::Mixed))
        );
        let kept = answer(&candidate, &with_pin("ada", &braked));
        assert_eq!(gist(&kept), ("baseline", Reason::Pinned, Some(exclusion)));
    }
}

fn variables(names: &[&str]) -> prost_types::Struct {
    let value = prost_types::value::Kind::StringValue("x".to_owned());
    let field = |name: &&str| {
        (
            (*name).to_owned(),
            prost_types::Value {
                kind: Some(value.clone()),
            },
        )
    };
    prost_types::Struct {
        fields: names.iter().map(field).collect(),
    }
}

#[test]
fn a_candidate_that_cannot_be_rendered_falls_back() {
    let snapshot = compile(&message(SLOT_COUNT - 1));
    let rendered = |names: &[&str]| {
        let request = v1::ResolvePromptRequest {
            variables: Some(variables(names)),
            ..ask("ada")
        };
        resolve(&snapshot, &request, NOW_S, 1, &LocalState::default())
    };
    let good = rendered(&["name", "mood"]).unwrap();
    assert_eq!(content_of(&good), "Hi x x");
    let fallen = rendered(&["name"]).unwrap();
    assert_eq!(
        gist(&fallen),
        ("baseline", Reason::Fallback, Some(Exclusion::Fallback))
    );
    assert_eq!(content_of(&fallen), "Hello x");
    assert_eq!(
        (fallen.served.assigned, fallen.served.token.version),
        (1, 1)
    );
    assert_eq!(rendered(&[]).map_err(|error| error.code()), Err(3));
}

fn content_of(resolution: &Resolution) -> String {
    match resolution.response.to_message().unwrap().content {
        Some(v1::resolve_prompt_response::Content::Text(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_is_the_message_that_it_stands_for() {
    let local = LocalState {
        config_age_ms: 1234,
        stale: true,
        ..LocalState::default()
    };
    let resolution = resolve(&compile(&message(1)), &ask("ada"), NOW_S, 1, &local).unwrap();
    let read = resolution.response.to_message().unwrap();
    let reference = version(1, "Hello {{name}}");
    let expected = v1::ResolvePromptResponse {
        token: resolution.response.token.to_vec().into(),
        arm: "baseline".to_owned(),
        reason: Reason::Split.into(),
        config_revision: 44,
        config_age_ms: 1234,
        stale: true,
        detail: String::new(),
        version: reference.r#ref,
        content: Some(v1::resolve_prompt_response::Content::Text(
            "Hello {{name}}".to_owned(),
        )),
        parameters_json: reference.parameters_json,
        output_schema_json: String::new(),
    };
    assert_eq!(read, expected);
    assert_eq!(
        expected.encode_to_vec(),
        resolution.response.encode_to_vec()
    );
}

#[test]
fn a_batch_answers_item_by_item() {
    let snapshot = compile(&message(SLOT_COUNT - 1));
    let mut requests = vec![ask("ada"); MAX_BATCH + 1];
    requests[1].prompt = "other".to_owned();
    requests[2].set_exposure(v1::Exposure::OnResolve);
    let batch = v1::ResolvePromptsRequest { requests };
    let mut nonce = 0;
    let draw = || {
        nonce += 1;
        nonce
    };
    let (response, served) = resolve_batch(&snapshot, &batch, NOW_S, draw, &LocalState::default());
    let bytes = response.encode_to_vec();
    assert_eq!(bytes.len(), response.encoded_len());
    let read = v1::ResolvePromptsResponse::decode(bytes.as_slice()).unwrap();
    assert_eq!(read.config_revision, 44);
    let codes: Vec<i32> = read.items.iter().map(code).collect();
    assert_eq!((codes[0], codes[1], codes[MAX_BATCH]), (0, 5, 8));
    assert_eq!(served.len(), MAX_BATCH - 1);
    let on_use = |index: usize| served[index].token.flags.contains(Flags::ON_USE);
    assert!(
        on_use(0) && !on_use(1),
        "item 2, the second that is served, is on resolve"
    );
}

fn code(item: &v1::ResolvedItem) -> i32 {
    match &item.result {
        Some(v1::resolved_item::Result::Error(error)) => error.code,
        _ => 0,
    }
}

proptest! {
    #[test]
    fn any_answer_encodes_as_its_message(
        token: [u8; 16],
        arm in ".{0,200}",
        reason in 0..8_i32,
        numbers: (u64, u64, bool),
        fixed_text in ".{0,300}",
    ) {
        let fixed = v1::ResolvePromptResponse { parameters_json: fixed_text, ..Default::default() };
        let encoded = EncodedResolveResponse {
            token: std::array::from_fn(|index| token[index % 16]),
            arm: arm.as_str().into(),
            reason: Reason::try_from(reason).unwrap(),
            config_revision: numbers.0,
            config_age_ms: numbers.1,
            stale: numbers.2,
            detail: if numbers.2 { detail::NO_UNIT } else { "" },
            fixed: fixed.encode_to_vec().into(),
        };
        let message = v1::ResolvePromptResponse {
            token: encoded.token.to_vec().into(),
            arm,
            reason,
            config_revision: numbers.0,
            config_age_ms: numbers.1,
            stale: numbers.2,
            detail: encoded.detail.to_owned(),
            ..fixed
        };
        prop_assert_eq!(encoded.encode_to_vec(), message.encode_to_vec());
        prop_assert_eq!(encoded.encoded_len(), message.encoded_len());
    }

    #[test]
    fn a_ramp_never_moves_a_unit_that_is_already_on_the_candidate(
        unit in "[a-z]{1,12}", small in 1..SLOT_COUNT, more in 0..SLOT_COUNT,
    ) {
        let large = small.saturating_add(more).min(SLOT_COUNT - 1);
        let small = small.min(large);
        let arm = |share| answer(&compile(&message(share)), &ask(&unit)).served.token.arm;
        prop_assert!(arm(small) == 0 || arm(large) == 1);
    }
}
