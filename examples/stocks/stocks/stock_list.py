"""The resource whose answer is worth caching."""

from app import cache
from flask_restful import Resource

from stocks import analysis


class StocksList(Resource):
    """All companies with their analysis."""

    @cache.cached(3600)
    def get(self):
        """Answer with the analysis, computed at most once an hour.

        Returns:
            dict: what `stocks.analysis.report` returns.
        """
        data = self.do_expensive_computation()

        return data  # noqa: RET504 - the tutorial's own two lines

    def do_expensive_computation(self):
        """Analyse every company and every portfolio of them; takes the better part of a second.

        Returns:
            dict: what `stocks.analysis.report` returns.
        """
        return analysis.report()
