"""The tutorial's application once more, in which nothing imports from this module.

The resource is decorated with `flask_rustcache.cached`, which finds the application's cache at each
request. So the resource is imported at the top like everything else, and it does not matter whether
this module is named `app` (under `gunicorn app:app`) or `__main__` (as `python app.py`).
"""

from flask import Flask
from flask_caching import Cache
from flask_restful import Api
from stocks.stock_list import StocksList

app = Flask(__name__)
api = Api(app)

app.config["CACHE_TYPE"] = "flask_rustcache.RustCache"
# The name is for code that calls the cache by itself; the resource does without it.
cache = Cache(app)

api.add_resource(StocksList, "/api/stocks")

if __name__ == "__main__":
    app.run(debug=True)
