"""The status page in a real Chromium: idle, busy, with a slot at risk, without Kafka and without the relay, on a phone
and on a desk, light and dark. Nothing on its console, no violation of its policy, contrast and keyboard as they
should be, and what rows say is text and no markup.

PAGE_SHOTS=DIR keeps the pictures there; else they are in the directory of the test."""

import json
import os
import signal
import sys

import chromium
import e2e
from lab.proxy import KafkaProxy

SLOW = True
SECONDS = 240
PHONE, DESK = (390, 844), (1280, 900)
EVIL = "<img src=x onerror=\"window.pwned=1\">"
LIMIT = {"max_slot_wal_keep_size": "160MB", "wal_sender_timeout": 0}
SECRET = "planted-9f3c1"

if chromium.path() is None:
    print("skipped: no chromium is installed (tools/deps.sh page)")
    sys.exit(77)
with open(os.path.join(e2e.ROOT, "tests", "lib", "page_rules.js")) as file:
    RULES = file.read()


def look(page, name, dark=False):
    """Both widths, a picture and a verdict of each."""
    for size, word in ((DESK, "desk"), (PHONE, "phone")):
        page.resize(*size)
        page.scheme(dark)
        page.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        shot = "%s-%s-%s.png" % (name, word, "dark" if dark else "light")
        page.screenshot(os.path.join(SHOTS, shot))
        verdict = page.run(RULES)
        print("%s: %d texts, contrast at least %.2f" % (shot, verdict["measured"], verdict["least"]))
        assert not verdict["wrong"], "%s: %s" % (shot, "\n".join(verdict["wrong"]))


def texts(page, selector):
    return page.run("[...document.querySelectorAll(%s)].map((e) => e.textContent)" % json.dumps(selector))


def failed_checks(page):
    return [text.split(":")[0] for text in texts(page, "#checks .bad b")]


def judge_keyboard(page):
    """Tab meets all there is, in the order in which it stands, and each is seen to have the focus."""
    page.resize(*DESK)
    page.run("document.activeElement.blur(); scrollTo(0, 0)")
    met = []
    for _ in range(30):
        page.key("Tab", 9)
        at = page.run("""(() => { const e = document.activeElement, s = getComputedStyle(e);
            if (e === document.body) return null;
            return { tag: e.tagName + (e.id ? "#" + e.id : "." + e.className), ring: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2,
                     place: [...document.querySelectorAll("*")].indexOf(e), seen: e.getBoundingClientRect().width > 0,
                     left: e.getBoundingClientRect().left } })()""")
        if at is None:
            break
        met.append(at)
    assert met[0]["tag"] == "A.skip" and met[0]["left"] >= 0, met[:1]
    assert met[1]["tag"] == "BUTTON#pause", met[:2]
    assert [at["place"] for at in met] == sorted(at["place"] for at in met), met
    assert all(at["ring"] and at["seen"] for at in met), [at for at in met if not (at["ring"] and at["seen"])]
    assert sum(at["tag"].startswith("A.") for at in met) == 7, met
    page.run("document.activeElement.blur(); scrollTo(0, 0)")
    page.key("Tab", 9)
    page.key("Enter", 13)
    page.wait("document.activeElement.id === 'main'")


def judge_payloads(case, relay, page):
    """Shown where the file asks for them, from the next event on; forgotten when it does not any more."""
    def reload(shown, count):
        relay.write_config(e2e.merge(relay.config, {"admin": {"show_payloads": shown}}))
        relay.signal(signal.SIGHUP)
        relay.wait_log("epoch.opened", count=count, timeout=40)

    reload(True, 2)
    case.sql("INSERT INTO public.outbox (id, aggregatetype, aggregateid, type, payload)"
             " VALUES (gen_random_uuid(), 'order', 'k', 'T', %s)", (json.dumps({"note": EVIL + "x" * 600}),))
    page.wait("document.querySelector('#events .payload') !== null")
    shown = texts(page, "#events .payload")
    assert len(shown) == 1 and EVIL[:8] in shown[0] and shown[0].endswith("…"), shown
    reload(False, 3)
    assert not any("payload" in event for event in json.loads(relay.admin("/events")[1])["events"])


def judge_policy(browser, url):
    """What a row could do if it were markup: nothing. A page of its own, because it complains."""
    page = browser.page(*DESK)
    page.open(url)
    page.wait("document.querySelectorAll('#checks li').length > 0")
    page.run("""(() => { const s = document.createElement("script"); s.textContent = "window.inline = 1"; document.body.append(s);
        const d = document.createElement("div"); document.body.append(d);
        d.innerHTML = '<img src=x onerror="window.handler=1"><b style="color:red">x</b>'; })()""")
    page.browser.pump(1)
    assert page.run("window.inline === undefined && window.handler === undefined")
    assert any("Content Security Policy" in text for text in page.complaints), page.complaints
    page.close()


with e2e.own_postgres(conf=LIMIT) as pg, e2e.Case(postgres=pg) as case, \
        KafkaProxy(case.kafka.bootstrap) as proxy, chromium.Browser(case.dir) as browser:
    SHOTS = os.environ.get("PAGE_SHOTS") or case.dir
    relay = case.up({"admin": {"ready_grace_ms": 2000}, "delivery": {"transaction_timeout_ms": 2000},
                     "kafka": {"bootstrap.servers": proxy.address},
                     "source": {"connection": case.dsn(password=SECRET)}})
    url = "http://%s/" % relay.config["admin"]["listen"]
    page = browser.page(*DESK)
    page.open(url)
    page.wait("document.getElementById('ready').textContent === 'ready'")
    page.wait("document.querySelectorAll('#charts figure').length === 4")
    assert failed_checks(page) == []
    look(page, "idle")

    shop = case.shop(writers=2, rate=40, rows=(1, 5)).start()
    case.sql("INSERT INTO public.outbox (id, aggregatetype, aggregateid, type, payload)"
             " SELECT gen_random_uuid(), 'order', %s, %s, '{}' FROM generate_series(1, 20)", (EVIL, EVIL))
    page.wait("document.querySelector('#pipeline li:nth-child(2) .figure').textContent.match(/^[1-9]/)")
    page.wait("document.querySelectorAll('#events tbody tr').length === 20")
    e2e.wait("a few samples", lambda: len(json.loads(relay.admin("/history")[1])["samples"]) >= 3, 20)
    look(page, "busy")
    look(page, "busy", dark=True)
    page.scheme(False)
    judge_keyboard(page)
    shop.stop()
    case.sql("INSERT INTO public.outbox (id, aggregatetype, aggregateid, type, payload)"
             " SELECT gen_random_uuid(), 'order', %s, %s, '{}' FROM generate_series(1, 20)", (EVIL, EVIL))
    page.wait("[...document.querySelectorAll('#events td:nth-child(3)')].every((e) => e.textContent === %s)" %
              json.dumps(EVIL))
    assert page.run("document.querySelectorAll('main img').length === 0 && window.pwned === undefined")
    event = json.loads(relay.admin("/events")[1])["events"][0]
    assert event["key"] == EVIL and event["type"] == EVIL and "payload" not in event, event
    assert event["partition"] is not None and event["offset"] is not None and event["lsn"], event
    page.run("document.querySelector('#config summary').click()")
    page.wait("document.getElementById('config-text').textContent.includes('relay: ')")
    assert SECRET not in page.run("document.documentElement.outerHTML") and SECRET not in relay.admin("/config")[1]
    page.run("document.querySelector('#config summary').click()")
    judge_policy(browser, url)
    judge_payloads(case, relay, page)

    proxy.refuse()
    case.put(rows=3)
    page.wait("[...document.querySelectorAll('#checks .bad b')].some((e) => e.textContent.startsWith('broker'))", 40)
    assert page.run("document.getElementById('ready').className") == "badge bad"
    look(page, "broker-down")
    look(page, "broker-down", dark=True)
    page.scheme(False)
    proxy.accept()
    case.drain(relay=relay)
    page.wait("document.getElementById('ready').textContent === 'ready'", 40)

    walsender = case.slot()["active_pid"]
    os.kill(walsender, signal.SIGSTOP)
    try:
        def at_risk():
            case.sql("SELECT pg_logical_emit_message(false, 'other', repeat('x', 1000000)) FROM generate_series(1, 12)")
            return json.loads(relay.admin("/status")[1])["slot_risk"] == "at_risk"

        e2e.wait("a slot at risk", at_risk, 60, interval=0.3)
        page.wait("[...document.querySelectorAll('#checks .bad b')].some((e) => e.textContent.startsWith('slot_state'))")
        assert "slot_state" in failed_checks(page)
        page.wait("document.getElementById('problems').textContent.includes('wal.at_risk')")
        look(page, "slot-at-risk")
    finally:
        os.kill(walsender, signal.SIGCONT)
    assert page.complaints == [], page.complaints

    case.stop(relay)
    page.wait("!document.getElementById('banner').hidden")
    look(page, "stopped")
    page.close()
