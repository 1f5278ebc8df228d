"""The rules of the suite with sequences, property filters, calendar windows, anniversaries, places and consents."""

from tests.benchmarks.segment_suite.rules import PLAIN, TAGGED, Case, within

IN_CART = {"event": "add_to_cart"}
LAST_MONTH = """occurred_at >= date_trunc('month', $now AT TIME ZONE 'Asia/Shanghai' - INTERVAL '1 month')
                               AT TIME ZONE 'Asia/Shanghai'
            AND occurred_at < date_trunc('month', $now AT TIME ZONE 'Asia/Shanghai') AT TIME ZONE 'Asia/Shanghai'"""
# The birthday of this year or else of the next one comes within seven days; 29 February is kept on 1 March.
BIRTHDAY_SOON = """
    SELECT subject_id FROM segments_profile JOIN (
        SELECT extract(month FROM day) AS month, extract(day FROM day) AS day
        FROM generate_series($today::timestamp, $today + INTERVAL '7 days', INTERVAL '1 day') AS g (day)
        UNION SELECT 2, 29
        FROM generate_series($today::timestamp, $today + INTERVAL '7 days', INTERVAL '1 day') AS g (day)
        WHERE extract(month FROM day) = 3 AND extract(day FROM day) = 1
          AND extract(day FROM day - INTERVAL '1 day') = 28
    ) AS near ON near.month = extract(month FROM birth_date) AND near.day = extract(day FROM birth_date)
    JOIN compliance_consentstate c ON c.subject_id = segments_profile.subject_id AND c.channel = 'email'
        AND c.action = 'given' AND (c.expires_at IS NULL OR c.expires_at > $now)
    JOIN compliance_purpose p ON p.id = c.purpose_id AND p.key = 'offers'
""".replace("SELECT subject_id", "SELECT segments_profile.subject_id")

NEWER = [
    Case(
        "red-things-in-a-quarter",
        {"event": "purchase", "op": "gte", "value": 1, "window": {"days": 90},
         "where": [{"property": "color", "op": "eq", "value": "red"}]},
        f"""SELECT DISTINCT profile_id FROM segments_event
            WHERE name = 'purchase' AND {within(90)} AND (properties ->> 'color') = 'red'""",
    ),
    Case(
        "bought-what-was-in-the-cart",
        {"sequence": [IN_CART, {"event": "purchase"}], "op": "did", "within": {"days": 3}, "window": {"days": 30}},
        f"""SELECT DISTINCT profile_id FROM segments_event c
            WHERE name = 'add_to_cart' AND {within(30)} AND EXISTS (
                SELECT 1 FROM segments_event o WHERE o.profile_id = c.profile_id AND o.name = 'purchase'
                AND o.occurred_at > c.occurred_at AND o.occurred_at <= c.occurred_at + INTERVAL '3 days'
                AND o.occurred_at > $now - INTERVAL '30 days' AND o.occurred_at <= $now)""",
    ),
    Case(
        "cart-left-for-a-day",
        {"sequence": [IN_CART, {"event": "purchase"}], "op": "did_not", "within": {"days": 1}, "window": {"days": 14}},
        f"""SELECT DISTINCT profile_id FROM segments_event c
            WHERE name = 'add_to_cart' AND {within(14)} AND occurred_at + INTERVAL '1 day' <= $now AND NOT EXISTS (
                SELECT 1 FROM segments_event o WHERE o.profile_id = c.profile_id AND o.name = 'purchase'
                AND o.occurred_at > c.occurred_at AND o.occurred_at <= c.occurred_at + INTERVAL '1 day'
                AND o.occurred_at > $now - INTERVAL '15 days')""",
    ),
    Case(
        "birthday-soon-and-consent",
        {"all": [
            {"anniversary": "birth_date", "op": "within", "days": 7},
            {"consent": "offers", "channel": "email", "op": "given"},
        ]},
        BIRTHDAY_SOON,
    ),
    Case(
        "many-tastes-last-month",
        {"all": [
            {"event": "purchase", "measure": "distinct", "of": "category", "op": "gte", "value": 2,
             "window": {"calendar": "last_month"}},
            {"place": [{"country": "CN", "region": "Zhejiang"}, {"country": "CN", "city": "Shanghai"}], "op": "in"},
            {"none": [{"segment": "vip", "op": "in"}]},
        ]},
        f"""SELECT profile_id FROM segments_event WHERE name = 'purchase' AND {LAST_MONTH}
              AND profile_id IN (SELECT subject_id FROM segments_profile
                                 WHERE country = 'CN' AND (region = 'Zhejiang' OR city = 'Shanghai'))
              AND profile_id NOT IN ({TAGGED.format(key="vip")})
            GROUP BY profile_id HAVING count(DISTINCT category) >= 2""",
    ),
]  # fmt: skip
SUITE = [*PLAIN, *NEWER]
