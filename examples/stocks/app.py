"""The tutorial's application: Flask, Flask-RESTful, Flask-Caching and one expensive resource."""

import sys

from flask import Flask
from flask_caching import Cache
from flask_restful import Api

# `stocks/stock_list.py` does `from app import cache`. Started as `python app.py` this module is
# named `__main__`, so that import would run the file a second time and end in a half-made circle.
# Naming the running module "app" gives both names one module; under `gunicorn app:app` it is so
# already. The debug reloader starts `python app.py` again and comes through here too.
sys.modules["app"] = sys.modules[__name__]

app = Flask(__name__)
api = Api(app)

app.config["CACHE_TYPE"] = "flask_rustcache.RustCache"
cache = Cache(app)

# E402: the resource imports `cache`, which must exist by now.
from stocks.stock_list import StocksList  # noqa: E402

api.add_resource(StocksList, "/api/stocks")

if __name__ == "__main__":
    app.run(debug=True)
