"""By which values customer ids can be told to be one person's: written in one way, and told from those of nobody.

Addresses differ in case alone for no mail system of today (RFC 5321, 2.3.11, leaves the rest to the host), so nothing
else is changed where the host does not say so itself: Gmail reads no dots and nothing after a plus
(support.google.com/mail/answer/7436150), the hosts of TAGGED nothing after a plus.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import exp

from clv_helpers.config.datasets import EMAIL_NAMESPACE, PRIMARY_IDENTITY, ColumnContract
from clv_helpers.config.identities import SAYING, Identities
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import column, expression, is_in, table
from clv_helpers.engines.session import Session

SOURCE_ID = "source_customer_id"
PERSON = "COALESCE(source_customer_id, customer_id)"
TAGGED = [
    "outlook.com",
    "hotmail.com",
    "live.com",
    "icloud.com",
    "me.com",
    "proton.me",
    "protonmail.com",
    "fastmail.com",
]
# Mailboxes of an office, not of a person: RFC 2142, and what shops and their tills write.
ROLES = (
    "abuse accounting accounts admin administrator billing bookkeeping cashier checkout contact customer customers "
    "customerservice do-not-reply donotreply email enquiries ftp guest hello help helpdesk hostmaster hr info "
    "information invoice invoices kasse kontakt mail mailer-daemon marketing news newsletter no-reply no_reply noc "
    "noreply office order orders pos post postmaster purchasing reception root sales security service shop store "
    "support team till usenet uucp walk-in walkin webmaster www"
)
NOTHING = (
    "- -- . ? 0 abc anonymous example fake n.a. n/a na nan nil no no-email noemail nomail nobody none nope not "
    "null test testing tester unbekannt undefined unknown user x xx xxx"
)
RESERVED = r"@(.+\.)?(example\.(com|net|org)|[^.]+\.(example|invalid|test|local)|localhost)$"  # RFC 2606
EMAIL = """
    CASE WHEN NOT REGEXP_MATCHES(text, '^[^@\\s]+@[^@\\s]+\\.[^@\\s.]+$') THEN NULL
        WHEN SPLIT_PART(text, '@', 2) IN ('gmail.com', 'googlemail.com')
            THEN REPLACE(SPLIT_PART(SPLIT_PART(text, '@', 1), '+', 1), '.', '') || '@gmail.com'
        WHEN $is_tagged THEN SPLIT_PART(SPLIT_PART(text, '@', 1), '+', 1) || '@' || SPLIT_PART(text, '@', 2)
        ELSE text END
"""
EMAIL_OF_NOBODY = "$local_part OR REGEXP_MATCHES(value, $reserved)"
# Digits with the calling code first, where it is known: an international prefix is + or 00, a national one 0.
PHONE = """
    CASE WHEN NOT LENGTH(digits) BETWEEN 7 AND 15 THEN NULL
        WHEN text LIKE '+%' THEN digits
        WHEN digits LIKE '00%' THEN SUBSTRING(digits, 3)
        WHEN $code = '' THEN digits
        WHEN digits LIKE '0%' THEN $code || SUBSTRING(digits, 2)
        WHEN LENGTH(digits) > 10 AND STARTS_WITH(digits, $code) THEN digits
        ELSE $code || digits END
"""
DIGITS = "REGEXP_REPLACE(REPLACE(text, '(0)', ''), '[^0-9]', '', 'g')"
# One digit but for two others at most, or counted up.
PHONE_OF_NOBODY = """
    LENGTH(REPLACE(value, RIGHT(value, 1), '')) <= 2 OR CONTAINS('01234567890123456789', RIGHT(value, 7))
"""
# In steps, each of its own columns, so that the engine computes nothing twice.
VALUES = f"""
    SELECT DISTINCT $place AS place, id, value, $of_nobody AS of_nobody
    FROM (
        SELECT id, $normal AS value
        FROM (
            SELECT *, $digits AS digits FROM (SELECT DISTINCT {PERSON} AS id, $text AS text FROM $source AS s) AS t
        ) AS d
    ) AS v
    WHERE NOT value IS NULL
"""
# The first word; a letter alone is no name.
NAME = "REGEXP_EXTRACT(LOWER(STRIP_ACCENTS(TRIM(CAST($column AS TEXT)))), '^[^\\s,;.]{2,}')"
NAMES = "SELECT $person AS id, $name AS name, COUNT(*) AS times FROM $source AS s WHERE $name <> '' GROUP BY ALL"
MOST_USED = """
    SELECT id, name FROM $parts AS p GROUP BY id, name
    QUALIFY ROW_NUMBER() OVER (PARTITION BY id ORDER BY SUM(times) DESC, name) = 1
"""


def stage_values(session: Session, workbook: Workbook, identities: Identities) -> None:
    """Make the temporary table `told`: place (in identities.join), id as it came, value, whether it is nobody's; and
    `named`: id and name by which persons are kept apart."""
    parts = [
        _values(place, source, each, identities) for place, source, each in _columns(session, workbook, identities.join)
    ]
    nothing = expression("SELECT CAST(NULL AS BIGINT) AS place, '' AS id, '' AS value, FALSE AS of_nobody WHERE FALSE")
    told = expression("SELECT DISTINCT * FROM $parts AS p", parts=_union([nothing, *parts]))
    session.create_temporary("told", told)
    parts = [
        expression(
            NAMES, person=expression(PERSON), name=expression(NAME, column=column(each.name)), source=table(source)
        )
        for _, source, each in _columns(session, workbook, [identities.apart])
    ]
    nothing = expression("SELECT '' AS id, '' AS name, CAST(0 AS BIGINT) AS times WHERE FALSE")
    session.create_temporary("named", expression(MOST_USED, parts=_union([nothing, *parts])))


def _union(parts: list[exp.Expression]) -> exp.Subquery:
    return exp.union(*parts, distinct=False).subquery() if parts[1:] else parts[0].subquery()  # type: ignore[attr-defined]


def _columns(session: Session, workbook: Workbook, names: list[str]) -> Iterator[tuple[int, str, ColumnContract]]:
    """Where the columns are: which of them it is, table and contract."""
    for dataset in SAYING:
        source = workbook.params.sources.get(dataset)
        if source is None or not source.profile_enabled:
            continue
        present, contract = session.columns(table(f"lake.{dataset}")), workbook.params.contract(dataset)
        for place, name in enumerate(names):
            if name in contract and name in present and PRIMARY_IDENTITY in present:
                yield place, f"lake.{dataset}", contract[name]


def _is_email(contract: ColumnContract) -> bool:
    return contract.identity == EMAIL_NAMESPACE or bool(re.search(r"e?_?mail", contract.name))


def _is_phone(contract: ColumnContract) -> bool:
    return bool(re.search(r"phone|mobile|(^|_)(tel|cell|fax)", f"{contract.name} {contract.identity}".lower()))


def _values(place: int, source: str, contract: ColumnContract, identities: Identities) -> exp.Expression:
    """The values of a column as they are compared, without what is no address or number; and which are nobody's."""
    text = expression("TRIM(CAST($column AS TEXT))", column=column(contract.name))
    digits: exp.Expr = exp.null()
    tests = [expression("REGEXP_MATCHES(LOWER(value), $pattern)", pattern=_pattern(each)) for each in identities.ignore]
    if _is_email(contract):
        text = exp.Lower(this=text)
        normal = expression(EMAIL, is_tagged=is_in(expression("SPLIT_PART(text, '@', 2)"), TAGGED))
        local = is_in(expression("SPLIT_PART(value, '@', 1)"), [*ROLES.split(), *NOTHING.split()])
        tests.append(expression(EMAIL_OF_NOBODY, local_part=local, reserved=RESERVED))
    elif _is_phone(contract):
        digits, normal = expression(DIGITS), expression(PHONE, code=identities.calling_code)
        tests.append(expression(PHONE_OF_NOBODY))
    else:
        normal = expression("NULLIF(text, '')")
        tests.append(is_in(expression("LOWER(value)"), NOTHING.split()))
        tests.append(expression("REGEXP_MATCHES(value, '^[0\\W_]+$')"))
    of_nobody = exp.paren(exp.or_(exp.false(), *tests))
    return expression(
        VALUES, place=place, source=table(source), text=text, digits=digits, normal=normal, of_nobody=of_nobody
    )


def _pattern(ignored: str) -> str:
    """A value with * for anything, as a regular expression of the whole."""
    return "^" + ".*".join(re.escape(part) for part in ignored.strip().lower().split("*")) + "$"
