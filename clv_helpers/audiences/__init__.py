"""Stage 4: an audience is a small rule in YAML, compiled to one query over profile, events and memberships."""

from clv_helpers.audiences.audience_files import load, load_all, names, save
from clv_helpers.audiences.memberships import evaluate, evaluate_within, follow, why_not_streaming
from clv_helpers.audiences.rule import Audience
from clv_helpers.audiences.segment_builder import builder
from clv_helpers.audiences.static_checks import doubts_of, file_problems
from clv_helpers.audiences.views import chart, count, printed, rules, sentences, sizes

__all__ = [
    "Audience",
    "builder",
    "chart",
    "count",
    "doubts_of",
    "evaluate",
    "evaluate_within",
    "file_problems",
    "follow",
    "load",
    "load_all",
    "names",
    "printed",
    "rules",
    "save",
    "sentences",
    "sizes",
    "why_not_streaming",
]
