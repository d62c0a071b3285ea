"""Stage 4: an audience is a small rule in YAML, compiled to one query over profile, events and memberships."""

from clv_helpers.audiences.audience_files import all_names, load, load_all, names, save
from clv_helpers.audiences.checks import file_problems, file_warnings
from clv_helpers.audiences.formats import CannotExpress
from clv_helpers.audiences.memberships import (
    Evaluation,
    evaluate,
    evaluate_streaming,
    evaluate_what_can_be,
    evaluate_within,
)
from clv_helpers.audiences.of_marks import make as make_of_marks
from clv_helpers.audiences.rule import Audience
from clv_helpers.audiences.segment_builder import builder
from clv_helpers.audiences.views import chart, count, printed, rules, sentences, sizes

__all__ = [
    "Audience",
    "CannotExpress",
    "Evaluation",
    "all_names",
    "builder",
    "chart",
    "count",
    "evaluate",
    "evaluate_streaming",
    "evaluate_what_can_be",
    "evaluate_within",
    "file_problems",
    "file_warnings",
    "load",
    "load_all",
    "make_of_marks",
    "names",
    "printed",
    "rules",
    "save",
    "sentences",
    "sizes",
]
