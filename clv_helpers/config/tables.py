"""The schemas of the lake in the order in which they may read each other, and the tables that Python writes.

Tables that SQL makes are files of sql/; `models.catalog` lists both. This half stands below the models because the
engine is told from here which tables are the workbook's own records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from clv_helpers.config.datasets import LIFETIME_VALUE, ColumnType


@dataclass(frozen=True)
class Schema:
    """One schema: the stage of the guide that fills it (0: none), what it holds, and the Python that writes to it.

    `refreshed`: its SQL files are built by a refresh alone; those of other schemas come with their stage.
    `charted`: its tables without customers are offered for charts.
    """

    name: str
    stage: int
    holds: str
    writer: str = ""
    refreshed: bool = True
    charted: bool = True


# In order: the SQL of a schema reads only its own tables and those of schemas before it.
_SCHEMAS = (
    Schema("lake", 1, "the rows that came in, and the records of the workbook", "ingestion (clv_helpers/ingest)",
           refreshed=False, charted=False),
    Schema("derived", 1, "days, deciles, recency and frequency per customer; messages and responses; bots",
           "the scoring of bots (clv_helpers/derived)"),
    Schema("lifetime", 1, "predictions, their holdout validation, the forecast log",
           "the fitted models (clv_helpers/lifetime)", refreshed=False),
    Schema("profile", 1, "a row per customer, and the identity graph",
           "the joining of customer ids (clv_helpers/ingest)",
           charted=False),
    Schema("audiences", 4, "the audiences, and who is in them since when",
           "the evaluation of audiences (clv_helpers/audiences)"),
    Schema("activation", 5, "who may be sent to, and the ledger of what was",
           "the ledger of activations (clv_helpers/activation)", refreshed=False),
    Schema("campaigns", 6, "responses, rates and effects of campaigns", "the campaigns' stage (clv_helpers/campaigns)"),
    Schema("experiments", 6, "randomised mailings that came as one finished table", refreshed=False, charted=False),
    Schema("insights", 2, "the star model, and the analyst's own tables"),
    Schema("kpi", 2, "the platform's key figures over the star model", charted=False),
    Schema("schedule", 0, "the runs of the schedule", "the schedule (clv_helpers/run)", refreshed=False, charted=False),
)  # fmt: skip
SCHEMAS = {schema.name: schema for schema in _SCHEMAS}


@dataclass(frozen=True)
class PythonTable:
    """A table that Python writes.

    `definition`: its columns, given where SQL reads it: then it is always there, perhaps empty. `metadata`: a record
    of a few rows per run, which an engine that spreads tables over machines keeps by itself.
    """

    name: str
    one_row: str
    definition: str = ""
    metadata: bool = False

    @property
    def columns(self) -> dict[str, ColumnType]:
        """The columns of the definition with their types; none where it has none."""
        pairs = (part.split() for part in self.definition.split(",") if part)
        return {name: cast(ColumnType, kind) for name, kind in pairs}


_TABLES = (
    PythonTable("lake.batch_log", "a step that a batch took.", metadata=True),
    PythonTable("lake.batches", "a batch.", metadata=True),
    PythonTable("lake.checkpoint", "a table, and from what it was last built.", metadata=True),
    PythonTable("lake.rejected_rows", "a value for which a row was rejected."),
    PythonTable(
        "lake.left_out",
        "a reason for which rows of a batch are left out, as the params say.",
        "_batch_id integer, dataset text, reason text, rows integer, amount decimal",
    ),
    PythonTable("lake.pulls", "a batch from a database, and how far it reached.", metadata=True),
    PythonTable("lake.pulled_rows", "the content of rows that the next pull may meet again, as a hash."),
    PythonTable("lake.forgotten", "a person who was forgotten, as a keyed hash.", metadata=True),
    PythonTable(
        "lake.kept_response",
        "an unsubscription, complaint or bounce that retention took out of the e-mail events.",
        "customer_id text, event_type text, bounce_type text, bounce_code text",
    ),
    PythonTable(
        "profile.joined_customer",
        "a customer id that is joined to an older one.",
        "source_customer_id text, customer_id text",
    ),
    PythonTable(
        "profile.joining",
        "a column that joins customer ids (or all of them together), and what became of its values.",
        "column_name text, outcome text, found integer, people integer",
        metadata=True,
    ),
    PythonTable(
        "profile.match",
        "two customer ids of two lists that are likely one person's, as they came: each id's best.",
        "customer_id text, source_customer_id text, probability number, outcome text, learned boolean",
    ),
    PythonTable(
        "derived.bot",
        "a visitor, as scored: the share of bots among known ones like this.",
        "customer_id text, share number, is_bot boolean",
    ),
    PythonTable("derived.bot_tree", "the rules by which bots are told: their record.", metadata=True),
    PythonTable("lake.forecast_customer", "a customer of a kept forecast."),
    PythonTable("lifetime.calibration_score", "a customer, scored at the end of the calibration period."),
    PythonTable("lifetime.contract_age", "a number of renewals that running contracts have made."),
    PythonTable("lifetime.contract_calibration", "a contract, as known at the end of the calibration period."),
    PythonTable("lifetime.contract_cohort", "a quarter in which contracts began."),
    PythonTable("lifetime.contract_score", "a state that running contracts share, scored."),
    PythonTable("lifetime.contract_survival", "a number of renewals, as observed or by the model."),
    PythonTable("lifetime.covariate_effect", "a level of a covariate, and what it does beside the base level."),
    PythonTable(
        "lifetime.covariate_level",
        "a level of a covariate: a value that enough customers have, or several together.",
        "covariate text, level text, position integer, place integer, customers integer",
    ),
    PythonTable("lifetime.customer_contract", "a contract of a customer, from a first payment on."),
    PythonTable("lifetime.forecast", "a forecast that was made."),
    PythonTable("lifetime.forecast_outcome", "a forecast, and what came of it."),
    PythonTable(
        "lifetime.month_ahead",
        "a whole month ahead, as planned: spend of customers known and to come.",
        "month date, known number, new number",
    ),
    PythonTable(
        "lifetime.month_share",
        "an age of customers in days, and a month ahead: the share of their forecast by its end.",
        "age_days integer, month date, share number, level number",
    ),
    PythonTable("lifetime.origin", "a forecast that would have been made on an earlier day, and what came of it."),
    PythonTable(
        "lifetime.customer_holdout",
        "a customer who first bought in the calibration.",
        "customer_id text, frequency integer, actual_purchases integer, actual_spend number, model_purchases number, "
        "model_probability number, model_spend number, naive_purchases number, naive_spend number, "
        "status_quo_purchases number, status_quo_spend number",
    ),
    PythonTable(
        "lifetime.overdue_outcome",
        "an earlier cut-off and a band of who was overdue then: how many, and how many bought in the days after.",
        "known_by date, cut_off date, days integer, model text, bought_once integer, band integer, customers integer, "
        "forecast number, came_back integer",
    ),
    PythonTable("lifetime.prediction", "the latest prediction: its record.", metadata=True),
    PythonTable("lifetime.score", "a history that customers share, scored."),
    PythonTable(
        "lifetime.second_purchase", "a day since the first purchase: the hazard of a second by then, at the fit."
    ),
    PythonTable(
        "lifetime.total",
        "what all customers will bring or buy, with its 80 % interval and how far such totals were off.",
        "measure text, forecast number, low number, high number, level_spread number, origins integer",
    ),
    PythonTable("lifetime.week_forecast", "a week of the holdout period."),
    PythonTable(
        "lifetime.customer_lifetime_value",
        "a customer with a purchase.",
        ", ".join(f"{name} {kind}" for name, kind in LIFETIME_VALUE.items()),
    ),
    PythonTable(
        "audiences.definition",
        "an audience that was evaluated.",
        "audience text, title text, description text, rule_hash text, evaluation text",
        metadata=True,
    ),
    PythonTable(
        "audiences.membership_period",
        "a stay of a customer in an audience.",
        "audience text, customer_id text, evaluation integer, first_qualified_at timestamp, "
        "last_qualified_at timestamp, left_at timestamp, rule_hash text, snapshot integer",
    ),
    PythonTable(
        "audiences.evaluation",
        "an evaluation of an audience.",
        "evaluation integer, audience text, mode text, evaluated_at timestamp, rule_hash text, snapshot integer, "
        "customers integer, realized integer, exited integer",
        metadata=True,
    ),
    PythonTable("activation.ledger", "a customer at a destination, as the ledger has it."),
    PythonTable("activation.part", "a part of an activation.", metadata=True),
    PythonTable("activation.plan", "a planned activation.", metadata=True),
    PythonTable(
        "activation.delivery_run",
        "an activation of an audience at a destination.",
        "run_id text, campaign text, audience text, destination text, as_of date, status text, parts integer, "
        "customers integer, realized integer, existing integer, exited integer, started_at timestamp, "
        "finished_at timestamp",
        metadata=True,
    ),
    PythonTable(
        "activation.assignment",
        "a customer assigned to an arm of a campaign.",
        "campaign text, customer_id text, audience text, destination text, arm text, decile integer, as_of date, "
        "assigned_at timestamp",
    ),
    # Its SQL file is built once something is planned; until then it is empty for those who read it.
    PythonTable(
        "activation.fact_waterfall",
        "an activation, and a step of its decision.",
        "campaign text, audience text, destination text, step_order integer, step text, title text, customers integer",
    ),
    PythonTable("campaigns.fact_effect", "a campaign, an audience and its effect."),
    PythonTable("campaigns.fact_effect_decile", "a campaign, an audience, a decile and its effect."),
    PythonTable("schedule.refresh_run", "a scheduled run.", metadata=True),
)
PYTHON_TABLES = {table.name: table for table in _TABLES}
# Those that SQL reads, with their columns: there is always each of them, perhaps empty.
ALWAYS_THERE = {table.name: table.columns for table in _TABLES if table.definition}
METADATA_TABLES = frozenset(table.name for table in _TABLES if table.metadata)


def is_dataset(name: str) -> bool:
    """Whether a table holds the rows of a dataset: those that come in by batches, of whatever name.

    Example:
        >>> is_dataset("lake.purchases"), is_dataset("lake.batch_log")
        (True, False)
    """
    return name.startswith("lake.") and name not in PYTHON_TABLES
