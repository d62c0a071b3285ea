"""A simulated airline: members, loyalty events and e-mail responses, with the true values kept beside them."""

from clv_helpers.simulate.airline import FARES, FLIGHTS, Airline, simulate
from clv_helpers.simulate.files import SimulationError, make_sources, truth, write_airline
from clv_helpers.simulate.mailing import CAMPAIGNS, TRUE_EFFECTS, RESPONSES

__all__ = [
    "CAMPAIGNS",
    "FARES",
    "FLIGHTS",
    "TRUE_EFFECTS",
    "RESPONSES",
    "Airline",
    "SimulationError",
    "make_sources",
    "simulate",
    "truth",
    "write_airline",
]
