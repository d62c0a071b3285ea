"""Simulated businesses with the ground truth: an airline and its campaigns, a web shop and its visitors, two lists."""

from clv_helpers.simulate.airline import Airline, simulate
from clv_helpers.simulate.files import (
    SimulationError,
    make_sources,
    truth,
    write_airline,
    write_two_lists,
    write_web_shop,
)
from clv_helpers.simulate.flights import FARES, FLIGHTS
from clv_helpers.simulate.ground_truth import found
from clv_helpers.simulate.mailing import CAMPAIGNS, RESPONSES, TRUE_EFFECTS
from clv_helpers.simulate.two_lists import TwoLists, simulate_two_lists
from clv_helpers.simulate.web_shop import WebShop, simulate_web_shop

__all__ = [
    "CAMPAIGNS",
    "FARES",
    "FLIGHTS",
    "RESPONSES",
    "TRUE_EFFECTS",
    "Airline",
    "SimulationError",
    "TwoLists",
    "WebShop",
    "found",
    "make_sources",
    "simulate",
    "simulate_two_lists",
    "simulate_web_shop",
    "truth",
    "write_airline",
    "write_two_lists",
    "write_web_shop",
]
