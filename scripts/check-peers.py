#!/usr/bin/env python3
"""Our tools in the place of the functions they cover, in the peers' own tests; the table of it stands in testdata/README.md.

    scripts/check-peers.sh [PEER...]        builds the environment and runs this in it

What a peer's call got is compared with what the peer itself says (scripts/peers/replaced.py has the words). A test that fails is run
again with nothing replaced; one that fails then, too, is not ours. Ends with 1 where a test fails, or numbers disagree, for no reason in
scripts/peers/reasons.py, where more numbers disagree than the table says, or where fewer tests pass or fewer calls agree.
PEERS_UPDATE=1 writes the table, of the peers that were asked for; PEERS_LAST=1 takes the results of the last run (build/peers-results), after a
change of reasons.py. CHECK_PEERS_TOOLS names another folder than target/release.
"""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("CATSEL_BUILD", ROOT / "build"))
PAGE = ROOT / "testdata" / "README.md"
BEGIN, END = "<!-- check-peers: begin -->\n", "<!-- check-peers: end -->\n"

sys.path.insert(0, str(ROOT / "scripts" / "peers"))
import reasons  # noqa: E402
from suites import SUITES  # noqa: E402


def site_packages(package):
    """The folder of an installed package, without importing it."""
    import importlib.util

    return Path(importlib.util.find_spec(package).origin).parent


def folder_of(suite):
    return BUILD / "peers-tests" / suite.archive if suite.archive else site_packages(suite.package)


def pytest(suite, tests, adapters):
    """What came of the tests: outcomes by id, and records of the functions."""
    folder = folder_of(suite)
    with tempfile.NamedTemporaryFile(suffix=".json") as result, tempfile.NamedTemporaryFile("w", suffix=".txt") as names:
        names.write("\n".join(tests))
        names.flush()
        environment = dict(os.environ, PYTHONPATH=str(ROOT / "scripts" / "peers"), CHECK_PEERS_RESULT=result.name, CHECK_PEERS_ADAPTERS=adapters,
                           PYTHONDONTWRITEBYTECODE="1", PYTHONHASHSEED="0", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MPLBACKEND="Agg")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "peers_plugin", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(folder),
                   "--confcutdir", str(folder), "--tb=short", "-W", "ignore", *suite.options, "@" + names.name]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        try:
            return json.loads(Path(result.name).read_text())
        except ValueError:
            sys.exit(f"check-peers: {suite.name}: pytest ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def run_suite(suite):
    started = time.monotonic()
    files = [str(folder_of(suite) / t) for t in suite.tests]
    selection = ["-k", suite.select] if suite.select else []
    found = pytest(suite, [*files, *(s for s in selection)], suite.adapters)
    failed = [test for test, outcome in found["tests"].items() if outcome["outcome"] == "failed"]
    # The same tests with the peer's own functions: what fails then is not ours.
    own = {}
    if failed:
        own = pytest(suite, [str(folder_of(suite) / test) for test in failed], "")["tests"]
    kinds = Counter(outcome["outcome"] for outcome in found["tests"].values())
    fails_too = {t for t in failed if t in own and own[t]["outcome"] == "failed"}
    theirs = sorted(found["tests"][t]["name"] for t in fails_too)
    ours = {found["tests"][t]["name"]: found["tests"][t]["why"] for t in failed if t not in fails_too}
    print(f"check-peers: {suite.name}: {kinds['passed']} passed, {len(ours)} failed, {len(theirs)} fail without us too, {kinds['skipped']} skipped "
          f"({time.monotonic() - started:.0f} s)", file=sys.stderr)
    result = {"passed": kinds["passed"], "ours": ours, "theirs": theirs, "skipped": kinds["skipped"], "functions": [f for f in found["functions"] if f["counts"]]}
    last(suite).parent.mkdir(parents=True, exist_ok=True)
    last(suite).write_text(json.dumps(result, indent=1))
    return result


def last(suite):
    """What came of the last run of a peer's tests."""
    return BUILD / "peers-results" / f"{suite.name}.json"


# The table ----------------------------------------------------------------------------------------------------------


def reason(table, function, test, what):
    """The first reason whose patterns fit, or None."""
    for patterns, who, text in table:
        if all(re.search(p, value) for p, value in zip(patterns, (function, test, what))):
            return who, text
    return None


def most(counter, n=4):
    entries = sorted(counter.items(), key=lambda entry: (-entry[1], entry[0]))
    shown = [f"{text} ({count})" for text, count in entries[:n]]
    rest = sum(count for _, count in entries[n:])
    return "; ".join(shown + ([f"others ({rest})"] if rest else []))


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def page_of(suite, result):
    """The part of the page about a peer, and what has no reason."""
    version = importlib.metadata.version(suite.distribution)
    lines = [f"### {suite.name} {version}", "", suite.note, "" if suite.note else None,
             "| tests passed | failed | fail without us too | skipped |", "|---|---|---|---|",
             f"| {result['passed']} | {len(result['ours'])} | {len(result['theirs'])} | {result['skipped']} |", "",
             "| function | ours | agree | disagree | refused | outside | raised | outside: which |", "|---|---|---|---|---|---|---|---|"]
    unexplained, disagreements, refusals, answered = [], Counter(), Counter(), Counter()
    for f in result["functions"]:
        counts = Counter(f["counts"])
        lines.append(f"| `{f['name']}` | `{f['tool']}` | {counts['agree']} | {counts['disagree']} | {counts['refused']} | {counts['outside']} | {counts['raised']} "
                     f"| {cell(most(f['outside']))} |")
        for d in f["disagreements"]:
            why = reason(reasons.DISAGREEMENTS, f["name"], d["test"], d["what"])
            if why is None:
                unexplained.append(f"{f['name']}({d['call']}) in {d['test']}: {d['what']}")
            disagreements[(f["name"], *(why or ("?", "no reason known")))] += 1
        for text, count in f["refused"].items():
            refusals[(f["name"], text)] += count
        for text, count in f["raised"].items():
            answered[(f["name"], text)] += count
    lines.append("")
    if disagreements:
        lines += ["| disagree | times | right is | why |", "|---|---|---|---|"]
        lines += [f"| `{name}` | {count} | {who} | {cell(text)} |" for (name, who, text), count in sorted(disagreements.items())] + [""]
    failures = {}
    for test, what in result["ours"].items():
        why = reason(reasons.FAILURES, suite.name, test, what)
        if why is None:
            unexplained.append(f"test {test} fails with our numbers: {what}")
        failures.setdefault(why or ("?", "no reason known"), []).append(test)
    if failures:
        lines += ["| tests that fail with our numbers | right is | why |", "|---|---|---|"]
        lines += [f"| {', '.join(f'`{t}`' for t in shortened(tests))} | {who} | {cell(text)} |" for (who, text), tests in sorted(failures.items(), key=str)] + [""]
    if refusals:
        lines += ["| refused by us, answered by the peer | times | our message |", "|---|---|---|"]
        lines += [f"| `{name}` | {count} | {cell(text)} |" for (name, text), count in sorted(refusals.items())] + [""]
    if answered:
        lines += ["| refused by the peer, answered by us | times | its message |", "|---|---|---|"]
        lines += [f"| `{name}` | {count} | {cell(text)} |" for (name, text), count in sorted(answered.items())] + [""]
    if result["theirs"]:
        lines += [f"Fail without us too{': ' + suite.theirs if suite.theirs else ''}: " + ", ".join(f"`{t}`" for t in shortened(result["theirs"])) + ".", ""]
    return "\n".join(line for line in lines if line is not None), unexplained


def shortened(tests):
    """Names without parameters, with how many of them there are."""
    counts = Counter(re.sub(r"\[.*\]$", "", test) for test in tests)
    return [name if count == 1 else f"{name} (x{count})" for name, count in sorted(counts.items())]


def read_page():
    """The parts of the page by peer, and what stands before and behind them."""
    before, rest = PAGE.read_text().split(BEGIN)
    inside, behind = rest.split(END)
    head, *parts = re.split(r"(?m)^(?=### )", inside)
    return before, head, {part.split()[1]: part for part in parts}, behind


def numbers(part):
    """Tests that pass, and per function calls that agree and that do not."""
    passed = re.search(r"(?m)^\|---\|---\|---\|---\|\n\| (\d+) ", part)
    functions = {m[1]: (int(m[2]), int(m[3])) for m in re.finditer(r"(?m)^\| `([\w.]+)` \| `[^`]+` \| (\d+) \| (\d+) \|", part)}
    return int(passed[1]) if passed else 0, functions


def worse(name, old, new):
    (passed, functions), (now, functions_now) = numbers(old), numbers(new)
    found = [f"{name}: {now} tests pass, {passed} did"] if now < passed else []
    for function, (agree, disagree) in functions.items():
        agree_now, disagree_now = functions_now.get(function, (0, 0))
        if disagree_now > disagree:
            found.append(f"{function}: {disagree_now} calls disagree, {disagree} did")
        if agree_now < agree:
            found.append(f"{function}: {agree_now} calls agree, {agree} did")
    return found


def main():
    asked = sys.argv[1:] or [suite.name for suite in SUITES]
    unknown = set(asked) - {suite.name for suite in SUITES}
    if unknown:
        sys.exit(f"check-peers: no peer {', '.join(sorted(unknown))}; there are {', '.join(s.name for s in SUITES)}")
    before, head, parts, behind = read_page()
    problems = []
    chosen = [suite for suite in SUITES if suite.name in asked]
    # One process per peer, two at a time: a run waits for our tools most of its time.
    with ThreadPoolExecutor(2) as pool:
        read = lambda suite: json.loads(last(suite).read_text())  # noqa: E731
        results = list(pool.map(read if os.environ.get("PEERS_LAST") else run_suite, chosen))
    for suite, result in zip(chosen, results):
        part, unexplained = page_of(suite, result)
        problems += unexplained
        if not os.environ.get("PEERS_UPDATE"):
            problems += worse(suite.name, parts.get(suite.name, ""), part) if suite.name in parts else [f"{suite.name} is not in {PAGE}: PEERS_UPDATE=1 writes it"]
        parts[suite.name] = part
    if os.environ.get("PEERS_UPDATE"):
        order = [suite.name for suite in SUITES if suite.name in parts]
        PAGE.write_text(before + BEGIN + head + "".join(parts[name].rstrip("\n") + "\n\n" for name in order) + END + behind)
    for problem in problems:
        print(f"check-peers: {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
