"""Sources of raw data, the manifest of a day and its coverage."""

import warnings

# Every module of alpaca-py brings its streams, which nothing here uses, and they say this.
warnings.filterwarnings("ignore", "websockets.legacy is deprecated", DeprecationWarning)
