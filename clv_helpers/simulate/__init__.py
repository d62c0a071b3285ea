"""A simulated airline: members, loyalty events, campaigns and their responses, with the ground truth."""

from clv_helpers.simulate.airline import Airline, simulate
from clv_helpers.simulate.files import SimulationError, make_sources, truth, write_airline
from clv_helpers.simulate.flights import FARES, FLIGHTS
from clv_helpers.simulate.mailing import CAMPAIGNS, RESPONSES, TRUE_EFFECTS

__all__ = [
    "CAMPAIGNS",
    "FARES",
    "FLIGHTS",
    "RESPONSES",
    "TRUE_EFFECTS",
    "Airline",
    "SimulationError",
    "make_sources",
    "simulate",
    "truth",
    "write_airline",
]
