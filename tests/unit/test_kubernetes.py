"""deploy/ is valid against the schemas of Kubernetes and keeps its promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy" / "kubernetes"
VERSIONS = ["1.29", "1.33"]


def documents() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{path.name}:{document['kind']}", document)
        for path in sorted(DEPLOY.glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("name", "document"), documents(), ids=[name for name, _ in documents()])
def test_deploy_is_valid(name: str, document: dict[str, Any], version: str) -> None:
    del name
    kubernetes_validate.validate(document, version, strict=True)


def test_a_wrong_field_is_found() -> None:
    document = next(document for _, document in documents() if document["kind"] == "Deployment")
    document["spec"]["template"]["spec"]["initContainers"][0]["restartPolicies"] = "Always"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, VERSIONS[0], strict=True)


def test_the_sidecar_starts_first_and_shares_its_socket() -> None:
    document = next(document for _, document in documents() if document["kind"] == "Deployment")
    pod = document["spec"]["template"]["spec"]
    sidecar = pod["initContainers"][0]
    assert sidecar["restartPolicy"] == "Always"
    assert {probe for probe in sidecar if probe.endswith("Probe")} == {
        "startupProbe",
        "readinessProbe",
        "livenessProbe",
    }
    mounts = [
        {mount["name"] for mount in each["volumeMounts"]}
        for each in (sidecar, pod["containers"][0])
    ]
    assert "socket" in mounts[0] & mounts[1]
