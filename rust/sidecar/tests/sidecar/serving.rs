//! Prompts are served whenever a configuration was ever known.

use std::collections::HashMap;

use pitcanary_core::v1;
use pitcanary_core::v1::resolve_prompt_response::Content;
use pitcanary_sidecar::settings::Settings;
use pitcanary_sidecar::sidecar::Sidecar;
use tokio_stream::StreamExt;
use tonic::Code;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};

use crate::running::{BASELINE, Running, resolve_request, snapshot, version};

fn as_they_are(_: &mut Settings) {}

fn text(answer: &v1::ResolvePromptResponse) -> &str {
    match &answer.content {
        Some(Content::Text(text)) => text,
        other => panic!("`{other:?}` is no text"),
    }
}

#[test]
fn without_any_configuration_it_says_so_and_waits_for_a_controller() {
    let mut running = Running::start(as_they_are);
    assert_eq!(running.health(), ServingStatus::NotServing);
    let refused = running.resolve(resolve_request("alice")).unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(
        refused.message().contains("no configuration yet"),
        "{}",
        refused.message()
    );

    running.controller.start();
    running.push(snapshot(1));
    let answer = running.resolve(resolve_request("alice")).unwrap();
    assert_eq!(answer.config_revision, 1);
    let mut health = HealthClient::new(running.channel());
    running.call(async {
        let watch = health.watch(HealthCheckRequest::default()).await.unwrap();
        let mut statuses = watch.into_inner().map(|status| status.unwrap().status());
        while statuses.next().await != Some(ServingStatus::Serving) {}
    });
}

#[test]
fn a_restart_without_a_controller_serves_the_same_from_disk() {
    let mut running = Running::configured(as_they_are);
    let assign = |running: &Running| -> HashMap<String, String> {
        (0..50)
            .map(|number| format!("user-{number}"))
            .map(|unit| {
                let answer = running.resolve(resolve_request(&unit)).unwrap();
                (unit, answer.arm)
            })
            .collect()
    };
    let before = assign(&running);
    assert!(before.values().any(|arm| arm == "candidate"));
    running.kill_sidecar();
    running.start_sidecar();
    assert_eq!(running.health(), ServingStatus::Serving);
    assert_eq!(assign(&running), before);
    let counts = running.sidecar().counts();
    assert_eq!(
        (counts.config_revision, counts.link.connected),
        (Some(1), false)
    );
}

#[test]
fn a_damaged_snapshot_gives_the_one_before_and_the_controller_repairs_it() {
    let mut running = Running::configured(as_they_are);
    running.controller.start();
    running.push(snapshot(2));
    running.kill_sidecar();
    running.controller.kill();
    for slot in ["snapshot.0", "snapshot.1"] {
        let path = running.data().join(slot);
        let mut bytes = std::fs::read(&path).unwrap();
        if bytes[12] == 2 {
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
    }
    running.start_sidecar();
    assert_eq!(
        running
            .resolve(resolve_request("a"))
            .unwrap()
            .config_revision,
        1
    );
    running.controller.start();
    running.push(snapshot(2));
    assert_eq!(
        running
            .resolve(resolve_request("a"))
            .unwrap()
            .config_revision,
        2
    );
}

#[test]
fn a_refused_configuration_changes_no_answer_even_after_a_restart() {
    let mut running = Running::configured(as_they_are);
    running.controller.start();
    let bad = v1::Snapshot {
        versions: Vec::new(),
        ..snapshot(2)
    };
    running
        .controller
        .say(crate::controller::Said::Snapshot(bad));
    let nack = running.hears_nack();
    assert_eq!(
        (nack.config_version, nack.serving),
        (Some(version(2)), Some(version(1)))
    );
    for _ in 0..2 {
        assert_eq!(
            running
                .resolve(resolve_request("a"))
                .unwrap()
                .config_revision,
            1
        );
        running.kill_sidecar();
        running.start_sidecar();
    }
}

#[test]
fn bad_requests_are_refused_and_counted() {
    let running = Running::configured(as_they_are);
    let unknown = v1::ResolvePromptRequest {
        prompt: "nobody".to_owned(),
        ..resolve_request("alice")
    };
    assert_eq!(running.resolve(unknown).unwrap_err().code(), Code::NotFound);
    let mut crowded = resolve_request("alice");
    for number in 0..65 {
        crowded
            .attributes
            .insert(number.to_string(), v1::AttributeValue::default());
    }
    let refused = running.resolve(crowded).unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let huge = resolve_request(&"u".repeat(2 * 1024 * 1024));
    assert_eq!(running.resolve(huge).unwrap_err().code(), Code::OutOfRange);
    let refusals = running.sidecar().counts().resolves_refused;
    assert_eq!(refusals, [("INVALID_ARGUMENT", 1), ("NOT_FOUND", 1)]);
}

#[test]
fn a_batch_is_answered_item_by_item_under_one_configuration() {
    let running = Running::configured(as_they_are);
    let mut requests = vec![resolve_request("alice"); 101];
    requests[1].prompt = "nobody".to_owned();
    let mut service = running.service();
    let batch = v1::ResolvePromptsRequest { requests };
    let answer = running
        .call(service.resolve_prompts(batch))
        .unwrap()
        .into_inner();
    let codes: Vec<i32> = answer
        .items
        .iter()
        .map(|item| match item.result.as_ref().unwrap() {
            v1::resolved_item::Result::Response(_) => 0,
            v1::resolved_item::Result::Error(error) => error.code,
        })
        .collect();
    let mut expected = vec![0; 101];
    (expected[1], expected[100]) = (Code::NotFound as i32, Code::ResourceExhausted as i32);
    assert_eq!(codes, expected);
    assert_eq!(answer.config_revision, 1);
}

#[test]
fn variables_are_rendered_and_the_same_answer_comes_without_a_network() {
    let running = Running::configured(as_they_are);
    let mut rendered = 0_u32;
    for number in 0..40 {
        let mut request = resolve_request(&number.to_string());
        let name = prost_types::Value {
            kind: Some(prost_types::value::Kind::StringValue("Ada".to_owned())),
        };
        request.variables = Some(prost_types::Struct {
            fields: [("name".to_owned(), name)].into(),
        });
        let inside = running.sidecar().handlers().resolve(&request).unwrap();
        let inside = inside.to_message().unwrap();
        let outside = running.resolve(request).unwrap();
        assert_eq!(text(&inside), text(&outside));
        let is_candidate = outside.arm == "candidate";
        rendered += u32::from(is_candidate);
        let expected = if is_candidate {
            "Answer at length, Ada."
        } else {
            BASELINE
        };
        assert_eq!(text(&outside), expected);
    }
    assert!((1..40).contains(&rendered));
}

#[test]
fn a_sidecar_inside_of_an_application_listens_nowhere() {
    let running = Running::configured(|settings| settings.listen.clear());
    assert!(running.sidecar().addresses().is_empty());
    let answer = running
        .sidecar()
        .handlers()
        .resolve(&resolve_request("alice"))
        .unwrap();
    assert_eq!(answer.config_revision, 1);
}

#[test]
fn a_drain_ends_health_watches_and_frees_the_address() {
    let mut running = Running::configured(|settings| {
        settings.listen.push(format!(
            "unix:{}",
            settings.data_dir.with_extension("sock").display()
        ));
    });
    let channel = running.channel();
    let mut health = HealthClient::new(channel);
    let watch = running
        .call(health.watch(HealthCheckRequest::default()))
        .unwrap();
    let sidecar = running.sidecar.take().unwrap();
    let report = sidecar.drain(std::time::Duration::from_secs(10));
    assert!(report.is_clean(), "{report:?}");
    let statuses = running.call(
        watch
            .into_inner()
            .map(|status| status.map(|s| s.status()).ok())
            .collect::<Vec<_>>(),
    );
    assert_eq!(statuses.first(), Some(&Some(ServingStatus::Serving)));
    assert!(!running.folder().join("data.sock").exists());
    running.start_sidecar();
    assert_eq!(running.health(), ServingStatus::Serving);
}

#[test]
fn a_taken_address_is_named() {
    let running = Running::start(as_they_are);
    let taken = running.sidecar().addresses()[0].clone();
    let place = pitcanary_sidecar::configuration::Place {
        namespace: "default".to_owned(),
        environment: "test".to_owned(),
    };
    let settings = Settings {
        listen: vec![taken.clone()],
        ..Settings::new(running.folder().join("other"), "there", place)
    };
    let error = Sidecar::start(&settings).err().unwrap().to_string();
    assert!(
        error.contains(&taken) && error.contains("another process"),
        "{error}"
    );
}
