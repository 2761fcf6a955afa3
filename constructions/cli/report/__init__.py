"""`lrnn report`: all that is known of an automaton and its linear RNN, on one page or as JSON."""

from constructions.cli.report.facts import FORMATS, Report, Study, study
from constructions.cli.report.page import page

__all__ = ["FORMATS", "Report", "Study", "page", "study"]
