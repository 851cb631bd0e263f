"""What deploy/kubernetes makes: valid for the newest Kubernetes, and what the processes and docker-compose.yml say."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from needs import lacks
from process_settings import ALL_SETTINGS, variables
from pydantic_settings import BaseSettings

from gateway.settings import Settings as GatewaySettings
from recsys.process import read_settings

ROOT = Path(__file__).resolve().parents[2]
OVERLAYS = ["small", "production"]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
OURS = ["candidate-gen", "reranker", "gateway", "ui", "event-sink", "trainer"]
FROM_SECRETS = {"feature-store": "valkey://valkey:6379/0", "gateway-cursor-key": "random", "ui-api-key": "random"}
NOT_LIKE_COMPOSE = {
    "GATEWAY_OPEN_ON",  # here it asks for API keys
    "CANDIDATE_GEN_FEATURE_STORE_URL",  # here it may have a password, and comes from a secret
    "RERANKER_FEATURE_STORE_URL",
    "GATEWAY_FEATURE_STORE_URL",
    "EVENT_SINK_FEATURE_STORE_URL",
}

Resource = dict[str, Any]


def kubectl() -> str:
    """What `make setup-kubectl` brought, else the machine's; without any there is nothing to test: in CI a failure."""
    found = ROOT / ".tools/bin/kubectl"
    command = str(found) if found.exists() else shutil.which("kubectl")
    if command is None:
        lacks("no kubectl: make setup-kubectl")
    return command


@cache
def rendered(overlay: str) -> list[Resource]:
    """Everything that an overlay makes. A deprecated field is an error: kubectl warns of it."""
    command = [kubectl(), "kustomize", str(ROOT / "deploy/kubernetes/overlays" / overlay)]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    assert made.stderr == ""
    return list(yaml.safe_load_all(made.stdout))


def of_kind(overlay: str, *kinds: str) -> dict[str, Resource]:
    """Name → resource."""
    return {one["metadata"]["name"]: one for one in rendered(overlay) if one["kind"] in kinds}


def templates(overlay: str) -> dict[str, Resource]:
    """Name of what runs → template of its pods."""
    found = of_kind(overlay, "Deployment", "StatefulSet", "CronJob")
    return {name: one["spec"].get("jobTemplate", one)["spec"]["template"] for name, one in found.items()}


def container(overlay: str, name: str) -> Resource:
    [only] = templates(overlay)[name]["spec"]["containers"]
    assert only["name"] == name
    return dict(only)


def environment(overlay: str, name: str) -> dict[str, str]:
    """What a process of ours is told; for what comes from elsewhere, an example."""
    maps = of_kind(overlay, "ConfigMap")
    told = {}
    for variable in container(overlay, name)["env"]:
        match variable:
            case {"value": str() as value}:
                told[variable["name"]] = value
            case {"valueFrom": {"configMapKeyRef": {"name": of, "key": key}}}:
                told[variable["name"]] = maps[of]["data"][key]
            case {"valueFrom": {"secretKeyRef": {"name": of}}}:
                told[variable["name"]] = FROM_SECRETS[of]
            case _:
                raise AssertionError(variable)
    return told


def settings_of(name: str) -> type[BaseSettings]:
    return ALL_SETTINGS[name.replace("-", "_")]


def in_compose(name: str) -> dict[str, str]:
    """Variables that the compose file gives a value, with the defaults of .env.example."""
    told = {variable: str(value or "") for variable, value in COMPOSE[name]["environment"].items()}
    defaults = re.compile(r"\$\{\w+:-([^{}]*)\}")
    for variable, value in told.items():
        value = re.sub(r"\$\{\w+:\+[^}]*\}+", "", value)  # only where something is set
        while defaults.search(value):
            value = defaults.sub(r"\1", value)
        told[variable] = value
    return {variable: value for variable, value in told.items() if value}


def both(names: list[str]) -> list[tuple[str, str]]:
    return [(overlay, name) for overlay in OVERLAYS for name in names]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_resource_is_what_the_newest_schema_says_and_has_no_other_field(overlay: str) -> None:
    newest = kubernetes_validate.latest_version()
    assert newest >= "1.37"
    for resource in rendered(overlay):
        kubernetes_validate.validate(resource, newest, strict=True)
    assert set(OURS) <= set(templates(overlay))


@pytest.mark.parametrize(("overlay", "name"), both(OURS))
def test_every_variable_is_one_that_the_process_reads_with_a_value_that_it_takes(
    overlay: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = environment(overlay, name)
    assert set(told) <= set(variables(settings_of(name))) | {"HOME"}
    for variable, value in told.items():
        monkeypatch.setenv(variable, value)
    read_settings(settings_of(name))


@pytest.mark.parametrize(("overlay", "name"), both(OURS))
def test_what_the_compose_file_tells_a_process_it_is_told_here_too(overlay: str, name: str) -> None:
    told, compose = environment(overlay, name), in_compose(name)
    assert {variable for variable in compose if variable not in told} <= NOT_LIKE_COMPOSE
    differs = {variable for variable, value in compose.items() if told.get(variable, value) != value}
    assert differs <= NOT_LIKE_COMPOSE


@pytest.mark.parametrize(("overlay", "name"), both(OURS))
def test_images_are_named_as_the_compose_file_builds_them(overlay: str, name: str) -> None:
    image = container(overlay, name)["image"]
    built = COMPOSE[name]["image"].replace("${RECSYS_VERSION:-", "").removesuffix("}")
    assert image.rpartition("/")[2].partition(":")[0] == built.partition(":")[0]
    assert overlay == "production" or image == built
    assert (overlay == "small") == ("/" not in image)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_gateway_finds_the_files_that_the_repository_has_in_its_configuration(overlay: str) -> None:
    given = of_kind(overlay, "ConfigMap")["gateway-config"]["data"]
    assert given.keys() == {path.name for path in (ROOT / "config").glob("*.yaml")}
    for name, text in given.items():
        assert yaml.safe_load(text) == yaml.safe_load((ROOT / "config" / name).read_text(encoding="utf-8"))


def test_valkey_runs_as_in_the_compose_file() -> None:
    ours, compose = container("small", "valkey"), COMPOSE["valkey"]
    assert ours["image"] == compose["image"]
    assert ours["command"] == compose["entrypoint"]
    assert ours["args"] == [re.sub(r"\$\{\w+:-(.*)\}", r"\1", each) for each in compose["command"]]


@pytest.mark.parametrize(("overlay", "name"), both(["candidate-gen", "reranker", "gateway", "ui"]))
def test_a_port_is_the_one_that_the_process_listens_on_from_the_probe_to_the_service(overlay: str, name: str) -> None:
    running = container(overlay, name)
    ports = {port["name"]: port["containerPort"] for port in running["ports"]}
    told = read_settings(settings_of(name), **{"artifact_dir": "/"} if name in ("candidate-gen", "reranker") else {})
    main = "http" if "http" in ports else "grpc"
    assert ports[main] == told.model_dump()["port"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if probe in running:
            [asked] = [running[probe][kind]["port"] for kind in ("grpc", "httpGet") if kind in running[probe]]
            assert ports.get(asked, asked) == ports[main]
    listened = {main: ports[main]}
    if name == "gateway":
        listened["grpc"] = int(environment(overlay, name)["GATEWAY_GRPC_PORT"])
    served = {each["targetPort"]: each["port"] for each in of_kind(overlay, "Service")[name]["spec"]["ports"]}
    assert served == listened == {port: ports[port] for port in ports if port != "metrics"}
    annotations = templates(overlay)[name]["metadata"].get("annotations", {})
    prefix = name.upper().replace("-", "_")
    assert annotations.get("prometheus.io/port") == environment(overlay, name).get(f"{prefix}_METRICS_PORT")
    assert ("metrics" in ports) == bool(annotations)
    assert ports.get("metrics") == (int(annotations["prometheus.io/port"]) if annotations else None)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_gateway_balances_over_headless_services_with_a_stream_for_each_replica(overlay: str) -> None:
    services, told = of_kind(overlay, "Service"), environment(overlay, "gateway")
    for variable in ("GATEWAY_CANDIDATE_GEN_TARGET", "GATEWAY_RERANKER_TARGET"):
        name, _, port = told[variable].partition(":")
        assert services[name]["spec"]["clusterIP"] == "None"
        assert services[name]["spec"]["ports"][0]["port"] == int(port)
        scaled = of_kind(overlay, "HorizontalPodAutoscaler").get(name)
        most = scaled["spec"]["maxReplicas"] if scaled else of_kind(overlay, "Deployment")[name]["spec"]["replicas"]
        assert most <= int(told["GATEWAY_CALL_STREAMS"]) <= GatewaySettings(candidate_gen_target="x").call_streams


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_is_not_root_on_a_read_only_root_without_capabilities(overlay: str) -> None:
    for name, template in templates(overlay).items():
        pod = template["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == (999 if name == "valkey" else 10001)
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        running = container(overlay, name)
        assert running["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert running["resources"]["limits"]["memory"]
        assert running["resources"]["requests"]["cpu"]
        assert "/tmp" in {mount["mountPath"] for mount in running["volumeMounts"]}
    namespace = of_kind(overlay, "Namespace")["recsys"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {one["metadata"]["namespace"] for one in rendered(overlay) if one["kind"] != "Namespace"} == {"recsys"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_a_pod_names_is_there(overlay: str) -> None:
    claims, accounts = of_kind(overlay, "PersistentVolumeClaim"), of_kind(overlay, "ServiceAccount")
    for name, template in templates(overlay).items():
        volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
        own = of_kind(overlay, "StatefulSet").get(name, {"spec": {}})["spec"].get("volumeClaimTemplates", [])
        mounted = {mount["name"] for mount in container(overlay, name)["volumeMounts"]}
        assert mounted == volumes.keys() | {claim["metadata"]["name"] for claim in own}
        named = {
            volume["persistentVolumeClaim"]["claimName"]
            for volume in volumes.values()
            if "persistentVolumeClaim" in volume
        }
        assert named <= claims.keys()
        assert template["spec"].get("serviceAccountName", "") in {"", *accounts}
    for scaled in of_kind(overlay, "HorizontalPodAutoscaler").values():
        deployment = of_kind(overlay, "Deployment")[scaled["spec"]["scaleTargetRef"]["name"]]
        assert "replicas" not in deployment["spec"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_services_budgets_and_deployments_select_the_pods_of_their_name(overlay: str) -> None:
    labels = {name: template["metadata"]["labels"] for name, template in templates(overlay).items()}
    for name, one in of_kind(overlay, "Service").items():
        assert one["spec"]["selector"].items() <= labels[name].items()
    for name, one in (of_kind(overlay, "Deployment", "StatefulSet") | of_kind(overlay, "PodDisruptionBudget")).items():
        assert one["spec"]["selector"]["matchLabels"].items() <= labels[name].items()
    budgets = of_kind(overlay, "PodDisruptionBudget")
    assert {one["spec"]["maxUnavailable"] for one in budgets.values()} == {1}  # none holds a node back for ever
    assert budgets.keys() == of_kind(overlay, "Deployment", "StatefulSet").keys() - {"event-sink"}


def allowed(overlay: str, direction: str) -> set[tuple[str, str, int]]:
    """(app, the other app or *, port) of every network policy."""
    found = set()
    for one in of_kind(overlay, "NetworkPolicy").values():
        for rule in one["spec"].get(direction, []):
            others = rule.get("from" if direction == "ingress" else "to", [{}])
            for app in apps_of(one["spec"]["podSelector"]):
                for other in others:
                    for peer in apps_of(other.get("podSelector", {})) if "namespaceSelector" not in other else ["*"]:
                        found |= {(app, peer, port["port"]) for port in rule["ports"]}
    return found


def apps_of(selector: Resource) -> list[str]:
    if "matchLabels" in selector:
        return [selector["matchLabels"].get("app", "*")]
    [*expressions] = selector.get("matchExpressions", [])
    return list(expressions[0]["values"]) if expressions else ["*"]


def test_a_pod_reaches_whom_it_calls_and_nobody_else() -> None:
    store = {"candidate-gen", "reranker", "gateway", "event-sink", "trainer"}  # the trainer: where users are in it
    calls = {("gateway", "candidate-gen", 50051), ("gateway", "reranker", 50052), ("ui", "gateway", 8000)}
    calls |= {(name, "valkey", 6379) for name in store}
    objects = {(name, "*", 443) for name in ("candidate-gen", "reranker", "trainer")}
    assert allowed("small", "egress") == calls | objects | {("*", "*", 53)}
    entered = {(server, client, port) for client, server, port in calls if server != "gateway"}
    metrics = {(name, "*", 9090) for name in ("candidate-gen", "reranker", "gateway", "event-sink", "ui")}
    assert allowed("small", "ingress") == entered | metrics | {
        ("gateway", "*", 8000),
        ("gateway", "*", 50050),
        ("ui", "*", 8501),
    }
    everybody = of_kind("small", "NetworkPolicy")["nothing-but-names"]["spec"]
    assert (everybody["podSelector"], everybody["policyTypes"]) == ({}, ["Ingress", "Egress"])


def test_models_go_through_the_object_store_or_a_volume_that_services_only_read() -> None:
    for name in ("candidate-gen", "reranker", "trainer"):
        store = f"{name.upper().replace('-', '_')}_ARTIFACT_STORE"
        for overlay, has_store in (("small", False), ("production", True)):
            assert (store in environment(overlay, name)) == has_store
            volumes = {volume["name"]: volume for volume in templates(overlay)[name]["spec"]["volumes"]}
            assert ("emptyDir" in volumes["artifacts"]) == has_store
    mounts = {name: container("small", name)["volumeMounts"] for name in ("candidate-gen", "reranker")}
    assert all(mount["readOnly"] for each in mounts.values() for mount in each if mount["name"] == "artifacts")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_secrets_are_named_and_explained_but_not_there(overlay: str) -> None:
    assert of_kind(overlay, "Secret") == {}
    text = yaml.safe_dump_all(rendered(overlay))
    named = set(re.findall(r"secretKeyRef:\n\s+key: \S+\n\s+name: (\S+)", text))
    named |= set(re.findall(r"secretRef:\n\s+name: (\S+)", text)) | set(re.findall(r"secretName: (\S+)", text))
    explained = (ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")
    assert named == {*FROM_SECRETS, "gateway-api-keys", "artifact-store-credentials"}
    assert all(f"`{name}`" in explained for name in named)
