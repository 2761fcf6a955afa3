"""`lrnn report`: all that is known of an automaton and its linear RNN, on one page or as JSON."""

from constructions.cli.report.facts import CONFIGURATIONS, FORMATS, Report, Study, study
from constructions.cli.report.page import page

__all__ = ["CONFIGURATIONS", "FORMATS", "Report", "Study", "page", "study"]
