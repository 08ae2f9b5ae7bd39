"""Metrics of all processes of a server, and the dashboard and alerts that are made of them."""

import json
import os
import re
import signal
import socket
import time
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.datastructures import FileStorage

from index.registry.schema_version import upgrade
from service.composition import prepare_folders
from service.settings import read_settings

ROOT = Path(__file__).parents[3]
DASHBOARD = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((ROOT / "deploy/prometheus-alerts.yml").read_text(encoding="utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
# What Prometheus adds to each sample, and the label of a histogram's buckets.
ADDED = {"instance", "job"}
FUNCTIONS = {
    *("sum", "min", "max", "avg", "count", "rate", "increase", "histogram_quantile", "time"),
    *("by", "on", "and", "or", "group_left", "min_over_time", "up"),
}


def samples_of(server) -> list:
    status, text = server.call("GET", "/metrics")
    assert status == 200
    families = text_string_to_metric_families(text.decode())
    return [sample for family in families for sample in family.samples]


def total(server, name: str, **labels: str) -> float:
    return sum(
        one.value
        for one in samples_of(server)
        if one.name == name and labels.items() <= one.labels.items()
    )


def until(condition, patience_s=30.0) -> None:
    give_up_at = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def asked(server, times: int) -> int:
    """Ask so many times, as far as answers come; return how many came."""
    answered = 0
    for _ in range(times):
        with suppress(OSError):
            answered += server.call("GET", "/v1/about")[0] == 200
    return answered


def test_metrics_are_of_the_whole_server_also_after_a_process_was_killed(
    settings, tmp_path, serving
):
    with serving(settings, tmp_path / "log", COUNTERSIGN_WORKERS="2") as server:
        until(lambda: total(server, "countersign_workers_ready") == 2)
        about = {"route": "/v1/about", "method": "GET", "status": "200"}
        assert asked(server, 40) == 40
        # Whichever process is asked: it tells the same.
        for _ in range(6):
            assert total(server, "countersign_http_requests_total", **about) == 40
        sizes = {one.labels["worker"] for one in samples_of(server) if "index_size" in one.name}
        assert sizes == {"0", "1"}
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        victim = max(int(pid) for pid in children.read_text().split())
        os.kill(victim, signal.SIGKILL)
        until(lambda: str(victim) not in children.read_text().split())
        until(lambda: total(server, "countersign_workers_ready") == 2)
        more = asked(server, 20)
        assert total(server, "countersign_http_requests_total", **about) == 40 + more
        (folder,) = (settings.data_dir / "metrics").iterdir()
        places = {path.stem.rsplit("_", 1)[-1] for path in folder.glob("*.db")}
        assert places == {"0", "1"}
        server.stop()
        assert not list((settings.data_dir / "metrics").iterdir())


def test_a_request_is_in_progress_from_its_first_byte_on(settings, tmp_path, serving):
    with (
        serving(settings, tmp_path / "log") as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as slow,
    ):
        own = 1  # The asking itself.
        assert total(server, "countersign_http_requests_in_progress") == own
        slow.sendall(
            b"POST /v1/identify HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9000\r\n\r\n--"
        )
        until(lambda: total(server, "countersign_http_requests_in_progress") == own + 1)
        slow.close()
        until(lambda: total(server, "countersign_http_requests_in_progress") == own)


def test_start_ready_stopping_and_stopped_have_a_line_each(settings, tmp_path, serving):
    variables = {"COUNTERSIGN_LOG_FORMAT": "json", "COUNTERSIGN_WORKERS": "2"}
    log = tmp_path / "log"
    with serving(settings, log, **variables) as server:
        until(lambda: '"ready"' in log.read_text())
        assert server.stop() == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    steps = ["starting", "ready", "stopping", "stopped"]
    assert [one["event"] for one in lines if one["event"] in steps] == steps
    (starting,) = [one for one in lines if one["event"] == "starting"]
    assert starting["address"] == f"http://127.0.0.1:{server.port}"
    assert starting["workers"] == 2
    assert all(one.keys() >= {"timestamp", "level", "pid", "logger"} for one in lines)


@pytest.fixture(scope="module")
def exported(tmp_path_factory, serving, certificate, scan) -> dict[str, dict[str, set[str]]]:
    """What a server exports that has met a bit of everything: label values by label by name."""
    folder = tmp_path_factory.mktemp("monitored")
    settings = read_settings({"COUNTERSIGN_DATA_DIR": str(folder / "data")})
    prepare_folders(settings)
    upgrade(settings.database_url)

    def file(seed, n):
        return FileStorage(BytesIO(scan(seed, n)), f"{seed}-{n}.png")

    found: dict[str, dict[str, set[str]]] = {}
    with serving(settings, folder / "log", **certificate(folder)) as server:
        images = [file(1, n) for n in range(5)]
        assert server.send("/v1/writers", writer_id="W-1", images=images)[0] == 201
        for probe in (file(1, 6), file(2, 6), file(1, 0)):
            assert server.send("/v1/writers/W-1/verify", image=probe)[0] == 200
        assert server.send("/v1/identify", image=file(1, 6))[0] == 200
        no_image = FileStorage(BytesIO(b"no image"), "x.png")
        assert server.send("/v1/identify", image=no_image)[0] == 422
        # Its file is taken from it: what changes something fails.
        database = settings.data_dir / "registry.db"
        database.rename(database.with_suffix(".gone"))
        body = json.dumps({"writer_id": "W-2"}).encode()
        failed = server.call("POST", "/v1/writers", body, {"Content-Type": "application/json"})
        assert failed[0] == 503
        database.with_suffix(".gone").rename(database)
        for one in samples_of(server):
            labels = found.setdefault(one.name, {})
            for label, value in one.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


def expressions() -> list[tuple[str, str]]:
    panels = [one for one in DASHBOARD["panels"] if one["type"] != "row"]
    drawn = [(one["title"], target["expr"]) for one in panels for target in one["targets"]]
    return [*drawn, *((one["alert"], one["expr"]) for one in RULES)]


SELECTOR = re.compile(r"\b([a-z_][a-z0-9_]*)\s*(?:\{([^}]*)\})?(?=[\s\[\])<>=/*+,-]|$)")
MATCHER = re.compile(r'([a-z_]+)\s*(=~|!=|!~|=)\s*"([^"]*)"')
GROUPED = re.compile(r"\b(?:by|on|group_left)\s*\(([^)]*)\)")


def selectors(expression: str) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """The metrics that an expression selects, each with its matchers."""
    bare = GROUPED.sub(" ", expression)
    outside = re.sub(r"\[\w+\]", "", bare)
    found = [(name, MATCHER.findall(inner)) for name, inner in SELECTOR.findall(outside)]
    return [(name, matchers) for name, matchers in found if name not in FUNCTIONS - {"up"}]


@pytest.mark.parametrize(("title", "expression"), expressions())
def test_what_dashboard_and_alerts_ask_for_is_exported(title, expression, exported):
    assert expression.count("(") == expression.count(")")
    assert expression.count("{") == expression.count("}")
    chosen = selectors(expression)
    assert chosen
    known: set[str] = set()
    for name, matchers in chosen:
        if name == "up":  # Prometheus's own.
            known |= ADDED
            continue
        assert name in exported, name
        known |= exported[name].keys() | ADDED
        for label, operator, wanted in matchers:
            if label in ADDED:
                continue
            assert label in exported[name], (name, label)
            values = exported[name][label]
            if operator in {"=", "!="}:
                assert wanted in values, (name, label, wanted)
            else:
                assert any(re.fullmatch(wanted, value) for value in values), (name, wanted)
    grouped = {one.strip() for inner in GROUPED.findall(expression) for one in inner.split(",")}
    assert grouped - {""} <= known


def test_selectors_are_found_whatever_is_around_them():
    expression = 'sum by (le, a) (rate(one_total{b="x", c=~"y.."}[5m])) / on (a) two > 1.5 * three'
    assert selectors(expression) == [
        ("one_total", [("b", "=", "x"), ("c", "=~", "y..")]),
        ("two", []),
        ("three", []),
    ]


def test_legends_name_labels_that_there_are(exported):
    labels = {label for one in exported.values() for label in one} | ADDED
    text = json.dumps(DASHBOARD) + json.dumps(RULES)
    named = set(re.findall(r"{{\s*(?:\$labels\.)?([a-z_]+)\s*}}", text))
    assert named
    assert named <= labels


def test_every_alert_says_how_grave_it_is_and_what_to_do():
    guide = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names)) > 5
    for rule in RULES:
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}
        assert rule["annotations"].keys() == {"summary", "description"}
        assert f"`{rule['alert']}`" in guide, rule["alert"]


def test_the_document_names_metrics_that_there_are(exported):
    guide = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(countersign_\w+)", guide))
    ends = ("", "_total", "_bucket", "_info")
    known = {name.removesuffix(end) for name in exported for end in ends}
    assert len(named) > 15
    assert {one for one in named if one not in known} == set()
    for family in sorted({one for one in known if f"{one}_total" in exported}):
        assert family in guide, family


def test_panels_lie_beside_each_other():
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + right, place["y"] + down)
            for right in range(place["w"])
            for down in range(place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
