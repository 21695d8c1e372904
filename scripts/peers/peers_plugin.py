"""pytest plugin of check-peers.py: replaces a peer's functions before its tests are imported, and writes what came of it."""

import importlib
import json
import os

import numpy as np
import pytest
import replaced

outcomes = {}


def pytest_configure(config):
    config.addinivalue_line("markers", "thread_unsafe: of the peers")
    if os.environ.get("CHECK_PEERS_ADAPTERS"):
        importlib.import_module(os.environ["CHECK_PEERS_ADAPTERS"])
        replaced.install()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    # Tests without a seed of their own draw the same numbers in every run.
    np.random.seed(0)
    replaced.test = name_of(item.nodeid)
    replaced.calls.clear()


def name_of(nodeid):
    """The test without the folder that it lies in."""
    path, _, rest = nodeid.partition("::")
    return path.rsplit("/", 1)[-1] + "::" + rest


def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        kind = report.outcome
        if hasattr(report, "wasxfail"):
            kind = "skipped"
        if outcomes.get(report.nodeid, {}).get("outcome") != "failed":
            outcomes[report.nodeid] = {"name": name_of(report.nodeid), "outcome": kind, "why": last_line(report) if kind == "failed" else ""}


def pytest_collectreport(report):
    if report.outcome == "failed":
        outcomes[report.nodeid] = {"name": report.nodeid.rsplit("/", 1)[-1], "outcome": "failed", "why": last_line(report)}


def last_line(report):
    crash = getattr(getattr(report.longrepr, "reprcrash", None), "message", None) or str(report.longrepr)
    return crash.strip()[:300]


def pytest_sessionfinish(session):
    path = os.environ.get("CHECK_PEERS_RESULT")
    if path:
        with open(path, "w") as file:
            json.dump({"tests": outcomes, "functions": [r.as_json() for r in replaced.records.values()]}, file, indent=1)
