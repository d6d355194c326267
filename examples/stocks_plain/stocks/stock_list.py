"""The resource whose answer is worth caching; it knows of no application."""

from flask_restful import Resource
from flask_rustcache import cached

from stocks import analysis


class StocksList(Resource):
    """All companies with their analysis."""

    # Here stood `@cache.cached(3600)`, with a `cache` that had to come from `app`.
    @cached(3600)
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
