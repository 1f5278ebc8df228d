"""Send windows and quiet hours: at planning, with caps, in batches, and for messages that come late."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.test import Client

from campaigns.content import digest
from campaigns.hours import HOUR, Hours
from campaigns.models import Batch, CapAction, CapUnit, Delivery, FrequencyCap, QuietHours, Run, SendWindow
from campaigns.selectors import moments
from campaigns.services import batches, campaigns, caps, dispatch, groups, hours, runs
from campaigns.services.campaigns import CampaignError
from campaigns.states import BatchState, DeliveryState, RunState
from compliance.models import AuditLeaf
from segments.models import Profile
from tests.campaigns.smtp import Mailbox
from tests.campaigns.stage import claim, launch, send_all
from tests.factories.campaigns import (
    DUE,
    CampaignFactory,
    DeliveryFactory,
    RunFactory,
    SendingChannelFactory,
    SendWindowFactory,
    UserFactory,
    make_approved_campaign,
    make_audience,
)

pytestmark = pytest.mark.django_db
ONE_HOUR, ONE_DAY = timedelta(hours=1), timedelta(days=1)


def quiet(text: str = "22:00-08:00", channel: str = "email") -> QuietHours:
    return hours.save_quiet(quiet=QuietHours(channel=channel, hours=text), actor="test", now=DUE)


def audience(*zones: str) -> list[Profile]:
    people = make_audience(len(zones))
    for person, zone in zip(people, zones, strict=True):
        Profile.objects.filter(pk=person.pk).update(timezone=zone)
    return people


def plan(at: datetime = DUE, *, batch_size: int = 100, **fields: object) -> Run:
    make_approved_campaign(scheduled_at=at, channel=SendingChannelFactory(batch_size=batch_size), **fields)
    (run,) = runs.launch_due(now=at, actor="system")
    return runs.plan(run=run, now=at, actor="system")


def due() -> dict[int, tuple[str, datetime]]:
    return {row.profile_id: (row.reason or row.state, row.due_at) for row in Delivery.objects.all()}


def test_each_person_is_reached_inside_the_window_where_they_live() -> None:
    """The run is due at 11:00 in Shanghai."""
    home, berlin, kolkata, newfoundland, apia, nowhere = audience(
        "", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Pacific/Apia", "Mars/Olympus"
    )
    run = plan(send_window=SendWindowFactory())
    day = DUE.replace(hour=0)
    assert due() == {
        home.pk: ("planned", day.replace(hour=4)),
        berlin.pk: ("planned", day.replace(hour=11)),
        kolkata.pk: ("planned", day.replace(hour=6, minute=30)),
        newfoundland.pk: ("planned", day.replace(hour=15, minute=30)),
        apia.pk: ("planned", day.replace(hour=7)),  # its evening, across the date line
        nowhere.pk: ("planned", day.replace(hour=4)),
    }
    assert (run.planned, run.excluded) == (6, 0)


def test_quiet_hours_hold_without_a_window_and_over_every_window() -> None:
    home, new_york = audience("", "America/New_York")
    quiet(channel="")
    quiet("10:00-11:30")
    quiet("00:00-23:59", channel="sms")
    plan()
    assert due() == {
        home.pk: ("planned", DUE + ONE_HOUR / 2),
        new_york.pk: ("planned", datetime(2026, 3, 2, 13, tzinfo=UTC)),
    }


def test_who_has_no_allowed_hour_within_a_week_is_left_out() -> None:
    (person,) = audience("")
    campaign = make_approved_campaign(send_window=SendWindowFactory(hours="23:00-23:30"))
    quiet()
    (run,) = runs.launch_due(now=DUE, actor="system")
    runs.plan(run=run, now=DUE, actor="system")
    assert due() == {person.pk: ("no_moment", DUE)}
    assert campaign.runs.get().excluded == 1
    assert not Batch.objects.exists()


def test_a_window_of_quiet_hours_only_is_refused_when_submitted() -> None:
    quiet()
    campaign = CampaignFactory(send_window=SendWindowFactory(hours="23:00-07:00"))
    with pytest.raises(CampaignError, match="quiet hours") as caught:
        campaigns.submit(campaign=campaign, user=UserFactory(), now=DUE)
    assert caught.value.field == "send_window"


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (DUE - ONE_DAY + 2 * ONE_HOUR, datetime(2026, 3, 2, 5, tzinfo=UTC)),  # 13:00, inside the window
        (DUE - ONE_DAY + 3 * ONE_HOUR, datetime(2026, 3, 2, 12, tzinfo=UTC)),  # 14:00, put off again until 20:00
        (DUE - ONE_HOUR, datetime(2026, 3, 3, 4, tzinfo=UTC)),  # 10:00 on the next day
    ],
)
def test_what_a_cap_puts_off_comes_into_the_window_again(last: datetime, expected: datetime) -> None:
    person, free = audience("", "")
    defer = FrequencyCap(name="one a day", most=1, unit=CapUnit.DAY, action=CapAction.DEFER)
    caps.save(cap=defer, actor="test", now=DUE)
    before = RunFactory(scheduled_at=last)
    DeliveryFactory(run=before, profile=person, due_at=last, sent_at=last, state=DeliveryState.SENT)
    run = plan(send_window=SendWindowFactory())
    rows = {row.profile_id: (row.state, row.due_at) for row in Delivery.objects.filter(run=run)}
    assert rows == {person.pk: ("planned", expected), free.pk: ("planned", DUE + ONE_HOUR)}


def test_a_cap_that_leaves_out_is_asked_about_the_moment_in_the_window() -> None:
    (person,) = audience("")
    drop = FrequencyCap(name="one a day", most=1, unit=CapUnit.DAY, action=CapAction.DROP)
    caps.save(cap=drop, actor="test", now=DUE)
    last = DUE - ONE_DAY + ONE_HOUR / 2
    DeliveryFactory(
        run=RunFactory(scheduled_at=last), profile=person, due_at=last, sent_at=last, state=DeliveryState.SENT
    )
    run = plan(send_window=SendWindowFactory())
    assert Delivery.objects.get(run=run).state == DeliveryState.PLANNED


def test_batches_of_one_wave_wait_for_no_other(mailbox: Mailbox) -> None:
    """People of two zones lie between each other; each zone is sent at its own hour, in full batches."""
    people = audience(*["", "Europe/Berlin"] * 12)
    run = plan(batch_size=5, send_window=SendWindowFactory())
    made = [(batch.wave, batch.due_at) for batch in Batch.objects.order_by("pk")]
    noon, noon_in_berlin = DUE + ONE_HOUR, DUE + 8 * ONE_HOUR
    assert made == [(60, noon)] * 3 + [(480, noon_in_berlin)] * 3
    assert send_all(DUE) == {}
    assert send_all(noon) == {"sent": 12}
    assert set(mailbox.recipients) == {f"reader-{number}@example.com" for number in range(0, 24, 2)}
    assert Batch.objects.filter(state=BatchState.DONE).count() == 3
    assert send_all(noon_in_berlin - ONE_HOUR) == {}
    assert send_all(noon_in_berlin) == {"sent": 12}
    assert len(set(mailbox.recipients)) == len(mailbox.recipients) == len(people)
    assert runs.finish_done(now=noon_in_berlin) == [run]


def test_blocks_keep_the_ranges_of_batches_short(monkeypatch: pytest.MonkeyPatch) -> None:
    audience(*["", "Europe/Berlin", "", ""] * 6)
    monkeypatch.setattr(runs, "SMALLEST_BLOCK", 8)
    plan(batch_size=1, send_window=SendWindowFactory())
    assert Batch.objects.count() == 24
    plans = [(batch.first_profile, batch.wave) for batch in Batch.objects.all()]
    rows = Delivery.objects.values_list("profile_id", "wave")
    assert sorted(plans) == sorted(rows)


def test_a_crash_in_one_wave_leaves_the_messages_of_another_alone(mailbox: Mailbox) -> None:
    audience("", "Europe/Berlin", "", "Europe/Berlin")
    plan(
        send_window=SendWindowFactory(hours="00:00-24:00", weekdays=[2])
    )  # Tuesday begins at its own time in each zone
    late = DUE + ONE_DAY
    crashed, going = claim(late), claim(late)
    assert groups.turn(crashed, outcomes=[], size=10, now=late)
    after = late + batches.LEASE + ONE_HOUR / 60
    in_hand = groups.turn(going, outcomes=[], size=10, now=after)
    assert {row.wave for row in Delivery.objects.filter(state="claimed")} == {crashed.wave, going.wave}
    assert dispatch.recover_expired(now=after) == {"unknown": 2}
    states = Delivery.objects.filter(profile__in=[one.profile_id for one in in_hand]).values_list("state", flat=True)
    assert list(states) == ["claimed", "claimed"]


def test_what_comes_late_waits_for_the_next_allowed_hour(mailbox: Mailbox) -> None:
    home, berlin = audience("", "Europe/Berlin")
    plan(send_window=SendWindowFactory())
    late = DUE + 3 * ONE_HOUR  # 14:00 in Shanghai, half an hour after the window
    assert send_all(late) == {}
    row = Delivery.objects.get(profile=home)
    evening = DUE + 9 * ONE_HOUR
    assert (row.state, row.due_at, row.put_off_from) == ("planned", evening, DUE + ONE_HOUR)
    assert row.changed_at == late
    assert Batch.objects.get(wave=60).due_at == evening
    assert send_all(evening) == {"sent": 2}
    assert Delivery.objects.get(profile=berlin).put_off_from is None


def test_quiet_hours_that_came_after_planning_hold(mailbox: Mailbox) -> None:
    (person,) = audience("")
    launch(DUE)
    quiet("10:00-12:00")
    assert send_all(DUE) == {}
    assert Delivery.objects.get(profile=person).due_at == DUE + ONE_HOUR
    assert send_all(DUE + ONE_HOUR) == {"sent": 1}


def test_what_is_held_up_for_too_long_is_not_sent(mailbox: Mailbox) -> None:
    audience("", "")
    run = launch(DUE, latest_hours=2)
    assert send_all(DUE + 2 * ONE_HOUR + ONE_HOUR / 60) == {}
    assert Counter(Delivery.objects.values_list("state", "reason")) == {("excluded", "too_late"): 2}
    assert runs.finish_done(now=DUE + 3 * ONE_HOUR) == [run]


def test_putting_off_starts_no_new_clock(mailbox: Mailbox) -> None:
    """Held up once until the evening, and then again until too late for the next noon."""
    (person,) = audience("")
    plan(send_window=SendWindowFactory(), latest_hours=12)
    send_all(DUE + 3 * ONE_HOUR)
    assert Delivery.objects.get(profile=person).state == DeliveryState.PLANNED
    send_all(DUE + 11 * ONE_HOUR + ONE_HOUR / 60)  # 22:01; noon is 24 hours after the first noon
    assert Delivery.objects.get(profile=person).reason == "too_late"


def test_at_dispatch_a_cap_puts_off_into_the_window(mailbox: Mailbox) -> None:
    (person,) = audience("")
    run = plan(send_window=SendWindowFactory())
    defer = FrequencyCap(name="one a day", most=1, unit=CapUnit.DAY, action=CapAction.DEFER)
    caps.save(cap=defer, actor="test", now=DUE)
    last = DUE - 18 * ONE_HOUR  # a day later it is 17:00
    DeliveryFactory(
        run=RunFactory(scheduled_at=last), profile=person, due_at=last, sent_at=last, state=DeliveryState.SENT
    )
    assert send_all(DUE + ONE_HOUR) == {}
    row = Delivery.objects.get(run=run)
    assert (row.state, row.due_at, row.put_off_from) == ("planned", DUE + 9 * ONE_HOUR, None)


def test_a_run_keeps_the_window_that_was_approved(mailbox: Mailbox) -> None:
    audience("")
    window = SendWindowFactory(hours="12:00-13:00")
    run = plan(send_window=window)
    window.hours = "15:00-16:00"
    hours.save_window(window=window, actor="test", now=DUE)
    assert run.timing == {"window": "12:00-13:00", "weekdays": [1, 2, 3, 4, 5, 6, 7], "latest_hours": 24}
    assert send_all(DUE + ONE_HOUR) == {"sent": 1}


@pytest.mark.parametrize("change", ["hours", "weekdays", "other", "none", "latest_hours"])
def test_approval_covers_window_and_cut_off(change: str) -> None:
    campaign = make_approved_campaign(send_window=SendWindowFactory())
    before = digest(campaign)
    window = campaign.send_window
    assert window
    if change == "hours":
        window.hours = "09:00-10:00"
    elif change == "weekdays":
        window.weekdays = [1]
    elif change == "latest_hours":
        campaign.latest_hours = 3
    else:
        campaign.send_window = SendWindowFactory(hours="09:00-10:00") if change == "other" else None
    window.save()
    campaign.save()
    assert digest(campaign) != before
    assert runs.launch_due(now=DUE, actor="system") == []


def test_ready_made_windows_come_once() -> None:
    for _ in range(2):
        hours.ensure_ready_made(actor="test", now=DUE)
    made = {window.name: (window.hours, window.weekdays) for window in SendWindow.objects.all()}
    assert made == {
        "Lunch and evening": ("12:00-13:30, 20:00-22:00", [1, 2, 3, 4, 5, 6, 7]),
        "Office hours (PC)": ("09:00-17:00", [1, 2, 3, 4, 5]),
    }
    assert set(QuietHours.objects.values_list("channel", "hours")) == {
        ("sms", "22:00-08:00"), ("push", "22:00-08:00"), ("wechat", "22:00-08:00"),
    }  # fmt: skip
    assert AuditLeaf.objects.filter(action__in=["window.created", "quiet_hours.created"]).count() == 5
    assert moments.quiet("email") == ()
    assert Hours(quiet=moments.quiet("sms")).week()[0] == (8 * HOUR, 22 * HOUR)


def test_changes_are_in_the_audit_log_and_a_window_in_use_stays() -> None:
    campaign = CampaignFactory(send_window=SendWindowFactory())
    assert campaign.send_window
    with pytest.raises(ProtectedError), transaction.atomic():
        hours.delete_window(window=campaign.send_window, actor="test", now=DUE)
    rule = quiet("22：00–8:00")
    assert rule.hours == "22:00-08:00"
    hours.delete_quiet(quiet=rule, actor="test", now=DUE)
    assert AuditLeaf.objects.filter(action__in=["quiet_hours.created", "quiet_hours.deleted"]).count() == 2


def test_windows_that_mean_nothing_are_refused() -> None:
    for fields in ({"hours": "noon"}, {"weekdays": []}, {"weekdays": [8]}):
        window = SendWindow(**{"name": "x", "hours": "12:00-13:00", **fields})
        with pytest.raises(ValidationError):
            hours.save_window(window=window, actor="test", now=DUE)
    for name, fields in {"window_has_hours": {"hours": ""}, "window_has_weekdays": {"weekdays": []}}.items():
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            SendWindow.objects.create(**{"name": "x", "hours": "12:00-13:00", **fields})
    with pytest.raises(IntegrityError, match="quiet_has_hours"), transaction.atomic():
        QuietHours.objects.create(hours="")


def test_admin_edits_windows_and_tells_when_people_are_reached(client: Client) -> None:
    audience("", "Europe/Berlin")
    client.force_login(User.objects.create_superuser("root"))
    form = {"name": "Noon", "hours": "12:00–13:30", "weekdays": ["1", "2"]}
    assert client.post("/admin/campaigns/sendwindow/add/", form).status_code == 302
    assert client.post("/admin/campaigns/sendwindow/add/", {**form, "hours": "noon"}).status_code == 200
    assert client.post("/admin/campaigns/quiethours/add/", {"channel": "", "hours": "22:00-8:00", "is_active": "on"})
    window = SendWindow.objects.get()
    assert (window.hours, window.weekdays) == ("12:00-13:30", [1, 2])
    assert "Monday, Tuesday" in client.get("/admin/campaigns/sendwindow/").content.decode()
    assert "22:00-08:00" in client.get("/admin/campaigns/quiethours/").content.decode()
    run = plan(send_window=window)
    assert run.state == RunState.SENDING
    page = client.get(f"/admin/campaigns/campaign/{run.campaign_id}/change/").content.decode()
    for text in ("Noon: 12:00-13:30, Monday, Tuesday", "22:00-08:00", "2026-03-02 12:00", "2026-03-02 19:00"):
        assert text in page
