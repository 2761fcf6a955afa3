"""The explorer and a report in a real browser, headless: typed into, clicked, read, measured.

`LRNN_SCREENSHOTS=docs/figures pytest tests/test_browser.py` takes the screenshots of the docs.
"""

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")
pytest.importorskip("starlette", reason="the extra 'explore' is not installed (starlette)")
pytest.importorskip("uvicorn", reason="the extra 'explore' is not installed (uvicorn)")

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from constructions.cli.report import page, study
from lrnn_theory import languages

ROOT = Path(__file__).parents[1]
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
DRIVER = shutil.which("chromedriver") or ""
SHOTS = os.environ.get("LRNN_SCREENSHOTS")

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no Chromium with its chromedriver is installed"
)


@pytest.fixture(scope="module")
def server():
    process = subprocess.Popen(
        [sys.executable, "-m", "constructions.cli", "explore", "--port", "0", "--json"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())["url"]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(autouse=True)
def no_errors_in_the_console(browser):
    browser.get_log("browser")
    yield
    expected = ("status of 400", "status of 503")  # refused questions, which the page tells
    log = [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    assert [m for m in log if not any(text in m for text in expected)] == []


def find(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector)


def wait(browser, condition):
    return WebDriverWait(browser, 40, 0.05).until(lambda _: condition())


def look(browser, width, dark=False, height=900):
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


def shoot(browser, name):
    """A screenshot of what is seen, for the docs."""
    if SHOTS:
        shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        (Path(SHOTS) / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))


def type_into(field, text):
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(Keys.DELETE, text)


def show(browser, source):
    type_into(find(browser, "#source"), source + Keys.ENTER)


def judged(browser):
    """Verdicts by arithmetic, once all are there and the details too."""
    rows = "#verdicts tbody tr"

    def ready():
        texts = browser.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map("
            "r => [r.dataset.arithmetic, r.cells[1].textContent])", rows,
        )  # fmt: skip
        done = texts and all(said != "…" for _, said in texts)
        return dict(texts) if done and find(browser, "#message").text == "" else None

    return wait(browser, ready)


def state_of(browser):
    return find(browser, "#automaton .here").get_attribute("id")


def no_overflow(browser):
    """Nothing makes the page wider than the window, and no text of a control is cut."""
    wide = browser.execute_script("return document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0
    cut = browser.execute_script(
        "return [...document.querySelectorAll('button, select, .commands code')].filter("
        "e => e.offsetParent && e.scrollWidth > e.clientWidth + 1).map(e => e.outerHTML)"
    )
    assert cut == []
    apart = browser.execute_script(
        "return [...document.querySelectorAll('.action')].map(e => [...e.children].map("
        "m => m.getBoundingClientRect().top)).filter(tops => Math.max(...tops) > Math.min(...tops))"
    )
    assert apart == []  # a vector B beside its matrix A, or it would stand beside the next one's


def test_type_click_read_the_verdict(browser, server):
    look(browser, 1280)
    browser.get(server)
    show(browser, "(0|10*1)*")
    wait(browser, lambda: "parity" in find(browser, "#network").text)
    assert set(judged(browser).values()) == {"proved"}
    type_into(find(browser, "#word"), "0110")
    wait(browser, lambda: "After 4 of 4 letters" in find(browser, "#said").text)
    assert "accepted; the linear RNN agrees" in find(browser, "#said").text
    assert state_of(browser) == "automaton-state_0"
    find(browser, "#back").click()
    find(browser, "#back").click()
    assert "After 2 of 4 letters: state 1" in find(browser, "#said").text
    assert state_of(browser) == "automaton-state_1"
    assert find(browser, "#state .cell").text == "-1"
    assert find(browser, "#automaton .taken").get_attribute("id") == "automaton-arrow_0_1"
    assert find(browser, ".matrix.here").get_attribute("data-action") == "1"


def test_keyboard_alone(browser, server):
    look(browser, 1280)
    browser.get(f"{server}?source=(ab)*&word=ab&at=0")
    judged(browser)
    slider = find(browser, "#position")
    browser.execute_script("arguments[0].focus()", slider)
    slider.send_keys(Keys.ARROW_RIGHT)
    assert "After 1 of 2 letters" in find(browser, "#said").text
    order = []
    browser.execute_script("document.activeElement.blur(); window.scrollTo(0, 0)")
    find(browser, "#source").send_keys("")
    for _ in range(12):
        order.append(browser.switch_to.active_element.get_attribute("id"))
        browser.switch_to.active_element.send_keys(Keys.TAB)
    controls = ["source", "construction", "arithmetic", "show", "share", "word", "first", "back"]
    assert [x for x in order if x in controls] == controls
    outline = browser.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_switch_the_format_and_see_when_it_breaks(browser, server):
    look(browser, 1280, height=1150)
    browser.get(f"{server}?source=@mod(7)")
    judged(browser)
    wait(browser, lambda: "rotation" in find(browser, "#construction").text)
    Select(find(browser, "#construction")).select_by_value("rotation")
    wait(browser, lambda: "rotation" in find(browser, "#network").text)
    verdicts = judged(browser)
    assert verdicts["float32"] == "proved"
    assert verdicts["float8_e4m3"] == verdicts["bfloat16"] == "refuted"
    row = find(browser, '#verdicts tr[data-arithmetic="float8_e4m3"]')
    row.find_element(By.CSS_SELECTOR, "td button").click()
    wait(browser, lambda: "After 21 of 21 letters" in find(browser, "#said").text)
    assert "accepted; the linear RNN says rejected" in find(browser, "#said").text
    assert len(browser.find_elements(By.CSS_SELECTOR, "#tape button.wrong")) == 1
    shoot(browser, "explorer")
    find(browser, '#verdicts tr[data-arithmetic="float32"] th button').click()
    wait(browser, lambda: "the linear RNN agrees" in find(browser, "#said").text)


def test_a_link_shows_the_same(browser, server):
    look(browser, 1280)
    browser.get(f"{server}?source=@mod(5)&construction=rotation&arithmetic=float16&word=aaaa&at=3")
    judged(browser)
    find(browser, "#forward").click()
    said, url = find(browser, "#said").text, browser.current_url
    browser.get("about:blank")
    browser.get(url)
    judged(browser)
    assert "After 4 of 4 letters" in said
    assert find(browser, "#said").text == said
    assert find(browser, "#arithmetic").get_attribute("value") == "float16"


def test_play_moves_to_the_end(browser, server):
    look(browser, 1280)
    browser.get(f"{server}?source=(ab)*&word=ab&at=0")
    judged(browser)
    find(browser, "#play").click()
    assert find(browser, "#play").get_attribute("aria-pressed") == "true"
    wait(browser, lambda: "After 2 of 2 letters" in find(browser, "#said").text)
    assert find(browser, "#play").get_attribute("aria-pressed") == "false"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("((((a{99}){99}){99}){99})", "positions"),
        ("(a|b)*a(a|b){14}", "states"),
        ("(a", "Regex"),
        ("@mod(1000000)", "table entries"),
        ("<img src=x onerror=document.title='hacked'>", ""),
    ],
)
def test_hostile_input_gets_a_message_and_the_page_goes_on(browser, server, source, message):
    browser.get(f"{server}?source=(ab)*")
    judged(browser)
    show(browser, source)
    if message:
        wait(browser, lambda: message in find(browser, "#message.wrong").text)
    else:
        wait(browser, lambda: "37 letters" in find(browser, "#summary").text or judged(browser))
    assert browser.title == "lrnn-theory explorer"
    show(browser, "(aa)*")
    assert judged(browser)["float32"] == "proved"


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True), (320, False)])
@pytest.mark.parametrize("source", ["@mod(7)", "@tls"])
def test_explorer_fits(browser, server, source, width, dark):
    look(browser, width, dark)
    browser.get(f"{server}?source={source}")
    judged(browser)
    no_overflow(browser)
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(20, 23, 27)" if dark else "rgb(255, 255, 255)")


@pytest.mark.parametrize("name", ["mod_5", "tls", "iso_date"])
def test_report_fits(browser, tmp_path, name):
    path = tmp_path / "report.html"
    path.write_text(page(study(languages.BESTIARY[name](), f"@{name}")), encoding="utf-8")
    for width, dark in ((1280, False), (390, True)):
        look(browser, width, dark)
        browser.get(path.as_uri())
        no_overflow(browser)
        assert len(browser.find_elements(By.CSS_SELECTOR, "figure svg")) >= 4
    if name == "mod_5":
        browser.execute_script("location.hash = 'drift'")
        shoot(browser, "report")
