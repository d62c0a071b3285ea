"""Tells bots from people: a small decision tree learns from visitors of whom it is known, and scores all of them.

Half of the known visitors are held out. Precision and recall are counted on them alone, and nobody is called a bot
where the tree is no better on them than chance. The tree is turned into rules, and the engine applies just these: what
is read is what is done.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter, ValidationError
from sqlglot import exp

from clv_helpers.config.bots import Bots
from clv_helpers.config.event_rows import event_rows
from clv_helpers.config.params import Params
from clv_helpers.config.tables import ALWAYS_THERE
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import column, expression, literal
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

FEATURE, SCORED, RECORD = "derived.bot_feature", "derived.bot", "derived.bot_tree"
FEATURES = ("most_in_1_minute", "most_in_5_minutes", "most_in_30_minutes", "gap_variation", "night_share")
WHOLE = FEATURES[:3]  # whole numbers, and so are the edges between them
DEPTH, PRUNED = 4, 0.001  # a branch that takes away less of the impurity than this is cut off
FEWEST_LABELLED = 20  # bots, and people, among those that the tree learns from, and among those held out
CHANCE = 0.001  # a tree of labels given at random passes for one that knows once in a thousand
KNOWN = f"""
    SELECT f.customer_id, {", ".join(f"f.{name}" for name in FEATURES)}, k.is_bot,
        SUBSTR(MD5(f.customer_id), 1, 1) < '8' AS is_held_out
    FROM {FEATURE} AS f
    JOIN (
        SELECT customer_id, MAX(CAST($label AS INT)) AS is_bot
        FROM $events AS e
        WHERE occurred_at < $as_of
        GROUP BY customer_id
        HAVING MAX(CAST($label AS INT)) = MIN(CAST($label AS INT))
    ) AS k ON k.customer_id = f.customer_id
    ORDER BY f.customer_id
"""
HELD_OUT = """
    SELECT is_bot = 1 AS is_bot, $share >= 0.5 AS is_called_bot, COUNT(*) AS visitors
    FROM known WHERE is_held_out GROUP BY is_bot = 1, $share >= 0.5
"""


SCORES = f"""
    SELECT customer_id, share, share >= 0.5 AS is_bot
    FROM (SELECT customer_id, $share AS share FROM {FEATURE} WHERE $is_scored) AS s
"""


class BotsError(UserError):
    """The library that tells bots is not installed."""


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % interval (Wilson 1927); None where it is one of nothing."""

    part: int
    whole: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Rule:
    """A leaf of the tree: `conditions` that all hold (feature, `at most` or `above`, edge), and whom it learnt from."""

    conditions: list[tuple[str, Literal["at most", "above"], float]]
    visitors: int
    bots: int

    @property
    def is_of_bots(self) -> bool:
        """Whether who meets it is called a bot: at least half of the known ones are."""
        return 2 * self.bots >= self.visitors


@dataclass(frozen=True)
class BotRecord:
    """What became of it: `scored`; `chance`, where the tree knows no better than chance; `refused`, for a reason; off.

    `visitors`: those with an event, `bots` those of them called so. `labelled`: those of whom it is known, half of
    them `held_out`, of whom `precision` and `recall` are, and `p_value` by Fisher's exact test.
    """

    status: Literal["off", "refused", "chance", "scored"] = "off"
    reason: str = ""
    visitors: int = 0
    bots: int = 0
    labelled: int = 0
    held_out: int = 0
    precision: Rate = Rate(0, 0)
    recall: Rate = Rate(0, 0)
    p_value: float = 1.0
    rules: list[Rule] = field(default_factory=list)
    digest: str = ""


def refresh_within(session: Session, workbook: Workbook) -> BotRecord:
    """Score the visitors in the caller's transaction, into derived.bot: nobody where bots cannot be told.

    Cost: a pass over the events for the labels; the tree learns from the known visitors alone. Raises BotsError where
    scikit-learn is not installed.
    """
    bots = workbook.params.bots
    if bots is None:
        if session.has_table(RECORD):
            _keep(session, BotRecord())
        return BotRecord()
    known = _known(session, workbook.params, bots, workbook.as_of(session))
    digest = _digest(session, bots, known)
    last = _read(session)
    if last.digest == digest:
        return last
    made = replace(_learn(session, known, workbook.params.min_cell), digest=digest)
    return _keep(session, made)


def lacking() -> str:
    """What is to be installed before bots can be told; empty where nothing is.

    Example:
        >>> from clv_helpers.derived import bot_scoring
        >>> bot_scoring.lacking()
        ''
    """
    there = importlib.util.find_spec("sklearn")
    return "" if there else "bots needs scikit-learn; allowed: pip install 'clv-helpers[bots]', then again"


def record(workbook: Workbook) -> BotRecord:
    """What the last refresh found out about bots.

    Example:
        >>> from clv_helpers.derived import bot_scoring
        >>> bot_scoring.record(wb).status
        'off'
    """
    with workbook.engine.read() as session:
        return _read(session)


def _known(session: Session, params: Params, bots: Bots, as_of: Any) -> pd.DataFrame:
    """A row per visitor of whom it is known, in one order. Who is labelled both ways is known by neither."""
    lookup, dot, _ = bots.label.partition(".")
    events = event_rows(params, bots.events, [lookup] if dot else [])
    return session.frame(expression(KNOWN, label=column(bots.label), events=events, as_of=as_of))


def _learn(session: Session, known: pd.DataFrame, min_cell: int) -> BotRecord:
    learning, held_out = (known[known["is_held_out"] == side] for side in (False, True))
    made = BotRecord("refused", labelled=len(known), held_out=len(held_out))
    fewest = min(min(int(part["is_bot"].sum()), int((part["is_bot"] == 0).sum())) for part in (learning, held_out))
    if fewest < FEWEST_LABELLED:
        reason = f"known bots and known people have to be at least {FEWEST_LABELLED} of each in either half"
        return replace(made, reason=reason)
    rules = _rules(learning, max(min_cell, 5))
    session.load_frame("known", known)
    counts = {
        (row["is_bot"], row["is_called_bot"]): int(row["visitors"])
        for row in session.rows(expression(HELD_OUT, share=_share(rules)))
    }
    return _judged(replace(made, rules=rules), counts)


def _judged(made: BotRecord, counts: dict[tuple[bool, bool], int]) -> BotRecord:
    """Whether the tree knows, of visitors it has not seen, better than chance who is a bot; `counts`: (is, called)."""
    from scipy.stats import fisher_exact

    right, missed, wrong, people = (
        counts.get(key, 0) for key in ((True, True), (True, False), (False, True), (False, False))
    )
    p_value = float(fisher_exact([[right, missed], [wrong, people]], alternative="greater")[1])
    precision, recall = _rate(right, right + wrong), _rate(right, right + missed)
    base = (right + missed) / max(right + missed + wrong + people, 1)
    knows = p_value < CHANCE and precision.low is not None and precision.low > base
    status: Literal["scored", "chance"] = "scored" if knows else "chance"
    return replace(made, status=status, precision=precision, recall=recall, p_value=p_value)


def _rate(part: int, whole: int) -> Rate:
    from statsmodels.stats.proportion import proportion_confint

    if not whole:
        return Rate(part, whole)
    low, high = proportion_confint(part, whole, method="wilson")
    return Rate(part, whole, float(low), float(high))


def _rules(learning: pd.DataFrame, fewest: int) -> list[Rule]:
    """The leaves of a tree as rules, their edges as a person would write them: whole numbers, or two decimals.

    No leaf is of fewer than `fewest` known visitors. Counts are those of the rules as they are written.
    """
    if sentence := lacking():
        raise BotsError(sentence)
    from sklearn.tree import DecisionTreeClassifier

    classifier = DecisionTreeClassifier(max_depth=DEPTH, min_samples_leaf=fewest, ccp_alpha=PRUNED, random_state=0)
    tree = classifier.fit(learning[[*FEATURES]].to_numpy(float), learning["is_bot"].to_numpy()).tree_
    rules: list[Rule] = []
    paths: list[tuple[int, list[Any]]] = [(0, [])]
    while paths:
        node, conditions = paths.pop()
        if tree.children_left[node] < 0:
            rules.append(_counted(conditions, learning))
            continue
        name = FEATURES[tree.feature[node]]
        edge = math.floor(tree.threshold[node] * 100) / 100 if name not in WHOLE else math.floor(tree.threshold[node])
        paths.append((int(tree.children_right[node]), [*conditions, (name, "above", float(edge))]))
        paths.append((int(tree.children_left[node]), [*conditions, (name, "at most", float(edge))]))
    return rules


def _counted(conditions: list[Any], learning: pd.DataFrame) -> Rule:
    meets = learning["is_bot"] >= 0
    for name, way, edge in conditions:
        meets &= learning[name] <= edge if way == "at most" else learning[name] > edge
    of_rule = learning[meets]
    return Rule(_shortened(conditions), len(of_rule), int(of_rule["is_bot"].sum()))


def _shortened(conditions: list[Any]) -> list[Any]:
    """Of several edges of one feature on one side only the narrowest says anything."""
    narrowest: dict[tuple[str, str], float] = {}
    for name, way, edge in conditions:
        before = narrowest.get((name, way), edge)
        narrowest[name, way] = min(before, edge) if way == "at most" else max(before, edge)
    return [(name, way, edge) for (name, way), edge in narrowest.items()]


def _share(rules: list[Rule]) -> exp.Expression:
    """The share of bots among the known visitors that met the same rule, as SQL over the features."""
    case = exp.Case()
    for rule in rules:
        kinds = {"at most": exp.LTE, "above": exp.GT}
        tests = [kinds[way](this=column(name), expression=literal(edge)) for name, way, edge in rule.conditions]
        case = case.when(exp.and_(*tests) if tests else exp.true(), literal(rule.bots / max(rule.visitors, 1)))
    return exp.cast(case if rules else exp.null(), "DOUBLE")


def _digest(session: Session, bots: Bots, known: pd.DataFrame) -> str:
    """From what the scores are made."""
    parts = [str(session.version(FEATURE)), bots.model_dump_json(), known.to_csv(), Path(__file__).read_text("utf-8")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _keep(session: Session, made: BotRecord) -> BotRecord:
    """Write the scores, where they differ from the last ones, and the record; nobody is scored by a tree of chance."""
    if not session.has_table(SCORED):
        session.create_if_absent(SCORED, dict(ALWAYS_THERE[SCORED]))
        session.set_version(SCORED, "empty")
    scores = expression(SCORES, share=_share(made.rules), is_scored=made.status == "scored")
    session.create_temporary("fresh", scores)
    delta = session.difference(SCORED, ("customer_id",), SCORED, "fresh", since=session.version(SCORED))
    if delta:
        session.change_rows(SCORED, delta)
    count = f"SELECT COUNT(*) AS visitors, COUNT(CASE WHEN is_bot THEN 1 END) AS bots FROM {SCORED}"
    made = replace(made, **session.rows(count)[0])
    kept = expression("SELECT $record AS record", record=json.dumps(asdict(made)))
    session.create_table(RECORD, kept)
    return made


_ADAPTER = TypeAdapter(BotRecord)


def _read(session: Session) -> BotRecord:
    """The last record; one that another version of this code wrote counts as none."""
    if not session.has_table(RECORD):
        return BotRecord()
    try:
        return _ADAPTER.validate_python(json.loads(session.scalar(f"SELECT record FROM {RECORD}")))
    except ValidationError:
        return BotRecord()
