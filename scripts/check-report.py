#!/usr/bin/env python3
"""Opens a page of `figure report` in a real headless Chromium without network and says what does not hold: errors on the
console, requests, load time, size, contrast of texts (4.5, light and dark), pictures without alternative text, tables that do
not sort by click and by keyboard, pages wider than a phone, content that needs JavaScript.

  scripts/check-report.py demo/report.html [FOLDER]     screenshots go to FOLDER [build/report]

Needs Chromium (Debian's package chromium) and nothing else: it is spoken to through its debugging pipe."""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

CONTRAST = """(() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => { const [r, g, b] = rgb.slice(0, 3).map((v) => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }); return .2126 * r + .7152 * g + .0722 * b; };
  const behind = (element) => { for (; element; element = element.parentElement) { const rgb = parse(getComputedStyle(element).backgroundColor); if (rgb.length < 4 || rgb[3] > 0) return rgb; } return parse(getComputedStyle(document.body).backgroundColor); };
  const poor = [];
  for (const element of document.querySelectorAll("body *:not(svg *):not(script):not(style)")) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) poor.push(element.tagName + " " + ratio.toFixed(2) + " " + element.textContent.slice(0, 30));
  }
  return poor;
})()"""
# What is laid out only when it gets on the screen counts as well.
TEXT = """(() => {
  const style = document.head.appendChild(document.createElement("style"));
  style.textContent = "* { content-visibility: visible !important; }";
  const letters = document.body.innerText.length;
  style.remove();
  return letters;
})()"""
SORTED = """((name) => {
  const table = [...document.querySelectorAll("table")].find((t) => t.tBodies[0].rows.length > 2);
  if (!table) return null;
  const heads = [...table.tHead.rows[0].cells];
  const numeric = heads.findIndex((_, k) => table.tBodies[0].rows[0].cells[k].classList.contains("number"));
  const k = numeric < 0 ? 0 : numeric;
  if (name === "focus") { heads[k].querySelector("button").focus(); return k; }
  if (name === "click") heads[k].querySelector("button").click();
  const cells = [...table.tBodies[0].rows].map((row) => row.cells[k].textContent);
  return { order: heads[k].getAttribute("aria-sort"), cells };
})"""


class Browser:
    """Chromium behind its debugging pipe: JSON messages that end in a zero byte."""

    def __init__(self, program):
        self.profile = tempfile.mkdtemp()
        to_browser, from_us = os.pipe()
        to_us, from_browser = os.pipe()

        def descriptors():
            # 3 and 4 may be ends of these very pipes: copies first.
            reading, writing = os.dup(to_browser), os.dup(from_browser)
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe", f"--user-data-dir={self.profile}"]
        self.process = subprocess.Popen([program, *arguments], preexec_fn=descriptors, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.out, self.into, self.rest, self.number, self.events = from_us, to_us, b"", 0, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def read(self):
        while b"\0" not in self.rest:
            part = os.read(self.into, 1 << 16)
            if not part:
                sys.exit("check-report: the browser ended")
            self.rest += part
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if getattr(self, "session", None):
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"check-report: {method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def value(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def open(self, address):
        self.events.clear()
        start = time.monotonic()
        self.call("Page.navigate", url=address)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.read())
        return time.monotonic() - start

    def look(self, path, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(shot))

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)


def main():
    page = pathlib.Path(sys.argv[1]).resolve()
    folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "build/report")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        print("check-report: skipped: there is no Chromium (Debian: apt-get install chromium)")
        return
    folder.mkdir(parents=True, exist_ok=True)
    wrong = []
    browser = Browser(program)
    for domain in ["Page", "Runtime", "Log", "Network"]:
        browser.call(f"{domain}.enable")
    browser.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
    seconds = browser.open(page.as_uri())
    size = page.stat().st_size
    if seconds > 1:
        wrong.append(f"opens in {seconds:.2f} s, which should be under 1 s")
    if size > 5e6:
        wrong.append(f"{size} bytes; a page has at most 5 MB")
    requests = [e["params"]["request"]["url"] for e in browser.events if e.get("method") == "Network.requestWillBeSent"]
    fetched = [url for url in requests if not url.startswith(("data:", page.as_uri()))]
    if fetched:
        wrong.append(f"fetches {fetched}")
    text = browser.value(TEXT)
    for scheme in ["light", "dark"]:
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        wrong += [f"{scheme}: contrast below 4.5: {poor}" for poor in browser.value(CONTRAST)]
        browser.look(folder / f"{scheme}.png", 1200, 2400)
    browser.call("Emulation.setEmulatedMedia", features=[])
    browser.look(folder / "phone.png", 390, 2400)
    wide = browser.value("document.scrollingElement.scrollWidth")
    if wide > 390:
        wrong.append(f"is {wide} pixels wide on a phone of 390")
    unnamed = browser.value('[...document.images].filter((i) => !i.alt).length + [...document.querySelectorAll("svg")].filter((s) => !s.querySelector(":scope > title")).length')
    if unnamed:
        wrong.append(f"{unnamed} pictures without alternative text")
    repeated = browser.value('(() => { const ids = [...document.querySelectorAll("[id]")].map((e) => e.id); return ids.filter((id, k) => ids.indexOf(id) !== k); })()')
    if repeated:
        wrong.append(f"ids that recur: {repeated}")
    clicked = browser.value(f'{SORTED}("click")')
    if clicked is not None:
        up = clicked["cells"]
        if clicked["order"] != "ascending":
            wrong.append("a click on the head of a table does not sort it")
        browser.value(f'{SORTED}("focus")')
        for kind in ["keyDown", "keyUp"]:
            browser.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
        pressed = browser.value(f'{SORTED}("look")')
        if pressed["order"] != "descending" or sorted(pressed["cells"]) != sorted(up):
            wrong.append("Enter on the head of a table does not turn its order")
    # Only now: what clicking raised counts too.
    browser.value("1")
    bad = [e["params"] for e in browser.events if e.get("method") == "Runtime.exceptionThrown" or e.get("method") == "Log.entryAdded" and e["params"]["entry"]["level"] == "error"]
    if bad:
        wrong.append(f"errors on the console: {bad}")
    pdf = base64.b64decode(browser.call("Page.printToPDF")["data"])
    (folder / "print.pdf").write_bytes(pdf)
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(page.as_uri())
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    without = browser.value(TEXT)
    if without != text:
        wrong.append(f"{without} letters without JavaScript, {text} with it")
    browser.close()
    print(f"check-report: {page.name}: {size / 1e6:.2f} MB, open in {seconds:.2f} s, {len(requests)} request, {text} letters; screenshots in {folder}")
    for line in wrong:
        print(f"check-report: {line}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
