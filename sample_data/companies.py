"""The symbols of the sample: invented price levels and volumes, and the words people use of each.

Symbols and product names are real so that the watchlist applies; every figure is invented.
ZVZZT is the exchange's own test symbol: no company stands behind it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Company:
    """One symbol. `price` is dollars at the end of February 2026; `volatility` is daily."""

    ticker: str
    name: str
    price: float
    volatility: float  # of its own part of the daily return
    beta: float
    volume: int  # shares of a usual session
    tweets: float  # on a usual weekday; 0: bars only
    kind: str  # company | coin | index | test | level
    products: tuple[str, ...] = ()  # each can stand before a noun: "Gemini demand"
    metrics: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()
    words: tuple[str, ...] = ()  # named instead of the cashtag now and then
    official: str | None = None  # a key influencer of the watchlist
    dividend: float = 0.0  # dollars a quarter, before splits
    dividend_month: int = 0  # 1, 2 or 3: month of the quarter of the ex-date
    dividend_day: int = 10


COMPANIES = (
    Company(
        "NVDA", "Nvidia", 186.0, 0.0185, 1.7, 178_000_000, 29, "company",
        ("Blackwell", "GPU", "data center", "CUDA", "inference", "networking", "Rubin", "sovereign AI"),
        ("data center revenue", "gross margin", "the backlog", "inference revenue"),
        ("AI capex", "the AI buildout", "accelerated computing", "hyperscaler spending"),
        ("AMD", "AVGO", "INTC", "TSM", "QCOM"), ("NVIDIA",), "nvidia", 0.01, 3, 11,
    ),
    Company(
        "TSLA", "Tesla", 412.0, 0.0225, 1.6, 84_000_000, 28, "company",
        ("Model Y", "FSD", "Cybertruck", "robotaxi", "Megapack", "Supercharger", "Optimus", "4680 cell"),
        ("deliveries", "auto gross margin", "energy storage revenue", "the order book"),
        ("autonomy", "EV demand", "grid storage", "self-driving"),
        ("RIVN", "LCID", "F", "GM", "NIO"), ("Tesla",), "teslarati",
    ),
    Company(
        "AAPL", "Apple", 264.0, 0.0115, 1.1, 47_000_000, 19, "company",
        ("iPhone", "Vision Pro", "Mac", "services", "Watch", "App Store", "iPad", "AirPods"),
        ("services revenue", "iPhone units", "gross margin", "the buyback"),
        ("the upgrade cycle", "on-device AI", "the services story", "capital returns"),
        ("GOOG", "MSFT", "DELL", "SONO", "QCOM"), ("Apple", "iPhone"), "Apple", 0.26, 2, 11,
    ),
    Company(
        "META", "Meta", 692.0, 0.0155, 1.3, 11_500_000, 15, "company",
        ("Reels", "Instagram", "WhatsApp", "ads", "VR", "Threads", "Llama", "smart glasses"),
        ("ad revenue", "daily users", "ad pricing", "operating margin"),
        ("the ad market", "AI spending", "the metaverse", "messaging"),
        ("SNAP", "PINS", "GOOG", "RDDT", "TTD"), ("Facebook", "Instagram"), "Meta", 0.53, 3, 13,
    ),
    Company(
        "GOOG", "Alphabet", 297.0, 0.0135, 1.15, 21_000_000, 14, "company",
        ("Gemini", "Search", "YouTube", "Cloud", "Waymo", "Pixel", "TPU", "Android"),
        ("cloud revenue", "search revenue", "YouTube ads", "operating margin"),
        ("AI search", "the cloud race", "robotaxis", "custom silicon"),
        ("MSFT", "META", "AMZN", "ORCL", "RDDT"), ("Google", "Alphabet"), "Google", 0.21, 3, 9,
    ),
    Company(
        "AMD", "AMD", 206.0, 0.0215, 1.7, 41_000_000, 17, "company",
        ("MI accelerator", "EPYC", "Ryzen", "Radeon", "server", "Helios rack", "ROCm"),
        ("server share", "accelerator revenue", "gross margin", "client revenue"),
        ("the second source story", "server share gains", "AI capex", "the PC cycle"),
        ("NVDA", "INTC", "AVGO", "QCOM", "MU"),
    ),
    Company(
        "AMZN", "Amazon", 229.0, 0.0145, 1.2, 42_000_000, 14, "company",
        ("AWS", "Prime", "ads", "same-day delivery", "Kuiper", "Trainium", "Alexa", "grocery"),
        ("AWS growth", "retail margin", "ad revenue", "free cash flow"),
        ("cloud spending", "the consumer", "warehouse automation", "custom silicon"),
        ("WMT", "SHOP", "MSFT", "COST", "GOOG"),
    ),
    Company(
        "MSFT", "Microsoft", 484.0, 0.0105, 1.05, 21_500_000, 15, "company",
        ("Azure", "Copilot", "Xbox", "Office", "GitHub", "Windows", "Dynamics", "security"),
        ("Azure growth", "Copilot seats", "cloud margin", "commercial bookings"),
        ("enterprise AI", "cloud spending", "AI capex", "seat growth"),
        ("GOOG", "AMZN", "ORCL", "CRM", "NOW"), dividend=0.91, dividend_month=2, dividend_day=21,
    ),
    Company(
        "JPM", "JPMorgan", 306.0, 0.0105, 0.95, 8_800_000, 10, "company",
        ("trading desk", "credit card", "mortgage", "investment banking", "wealth", "deposit"),
        ("net interest income", "trading revenue", "credit costs", "deal fees"),
        ("the yield curve", "the deal calendar", "loan growth", "bank capital rules"),
        ("BAC", "GS", "C", "WFC", "MS"), dividend=1.50, dividend_month=1, dividend_day=6,
    ),
    Company(
        "XOM", "Exxon", 118.0, 0.0120, 0.55, 15_000_000, 9, "company",
        ("Permian", "Guyana", "refining", "LNG", "chemicals", "lubricants"),
        ("production", "refining margin", "the buyback", "free cash flow"),
        ("crude prices", "OPEC supply", "natural gas demand", "energy rotation"),
        ("CVX", "COP", "OXY", "SLB", "BP"), dividend=1.03, dividend_month=2, dividend_day=14,
    ),
    Company(
        "PLTR", "Palantir", 163.0, 0.0260, 1.6, 62_000_000, 18, "company",
        ("AIP", "government", "commercial", "Foundry", "bootcamp", "defense software"),
        ("US commercial revenue", "the deal count", "net retention", "operating margin"),
        ("enterprise AI", "defense budgets", "software multiples", "AI adoption"),
        ("SNOW", "AI", "CRWD", "NOW", "DDOG"),
    ),
    Company(
        "COIN", "Coinbase", 286.0, 0.0330, 1.8, 9_200_000, 13, "company",
        ("staking", "custody", "stablecoin", "trading fee", "Base", "derivatives"),
        ("trading volume", "subscription revenue", "take rate", "custody assets"),
        ("the crypto cycle", "stablecoin rules", "ETF flows", "on-chain activity"),
        ("HOOD", "MSTR", "MARA", "RIOT", "SQ"),
    ),
    Company(
        "GME", "GameStop", 24.6, 0.0340, 0.9, 7_600_000, 17, "company",
        ("collectibles", "console", "trading card", "store", "hardware", "pre-owned"),
        ("collectibles revenue", "the cash pile", "store count", "short interest"),
        ("retail traders", "short covering", "the turnaround", "the cash pile"),
        ("AMC", "BB", "KOSS", "CHWY", "RDDT"),
    ),
    Company(
        "BA", "Boeing", 217.0, 0.0190, 1.05, 7_400_000, 10, "company",
        ("737", "787", "777X", "defense", "freighter", "services"),
        ("deliveries", "free cash flow", "the backlog", "production rate"),
        ("aircraft demand", "the supply chain", "airline orders", "defense budgets"),
        ("LMT", "RTX", "GE", "SPR", "DAL"),
    ),
    Company(
        "ZVZZT", "Zvzzt Test Holdings", 3.6, 0.0420, 0.6, 118_000, 4, "test",
        ("widget", "pilot plant", "test kit", "prototype"),
        ("widget orders", "cash burn", "the share count", "pilot revenue"),
        ("small caps", "widget demand", "micro caps", "the float"),
        ("GME", "AMC", "BB", "KOSS"),
    ),
    Company(
        "BTC", "Bitcoin", 68_400.0, 0.0240, 1.2, 440_000, 13, "coin",
        ("ETF", "mining", "wallet", "Lightning", "treasury", "exchange"),
        ("hash rate", "ETF flows", "exchange balances", "funding"),
        ("the halving cycle", "global liquidity", "digital gold", "the dollar"),
        ("COIN", "MSTR", "MARA", "RIOT", "HOOD"),
    ),
    Company(
        "SPY", "S&P 500 ETF", 662.0, 0.0, 1.0, 66_000_000, 14, "index",
        ("index", "breadth", "mega cap", "futures", "small cap", "rotation"),
        ("breadth", "the VIX", "put/call", "earnings revisions"),
        ("the Fed", "CPI", "yields", "positioning", "seasonality"),
        ("QQQ", "IWM", "DIA", "TLT", "VIX"), dividend=1.84, dividend_month=3, dividend_day=20,
    ),
    Company("^VIX", "VIX", 15.0, 0.0, 0.0, 0, 0, "level"),
)  # fmt: skip

BY_TICKER = {company.ticker: company for company in COMPANIES}
TWEETED = tuple(sorted(company.ticker for company in COMPANIES if company.tweets))
NOT_TRADABLE = ("BTC",)  # "not an equity" in the settings: scraped, never traded

# Cashtags that ride along in lists: (symbol, how often it is named).
CROWD = {
    "NVDA": 10, "TSLA": 10, "AAPL": 8, "SPY": 10, "QQQ": 9, "AMD": 8, "META": 7, "AMZN": 7,
    "MSFT": 7, "GOOG": 4, "GOOGL": 5, "PLTR": 7, "COIN": 5, "GME": 4, "AMC": 3, "NFLX": 5, "AVGO": 5,
    "SMCI": 5, "INTC": 4, "MU": 5, "TSM": 4, "ARM": 4, "ORCL": 4, "CRM": 3, "NOW": 2, "SNOW": 2,
    "CRWD": 3, "PANW": 2, "NET": 2, "DDOG": 1, "SHOP": 3, "UBER": 3, "ABNB": 2, "DIS": 3, "BA": 3,
    "JPM": 3, "BAC": 3, "GS": 2, "C": 2, "WFC": 1, "V": 2, "MA": 1, "XOM": 3, "CVX": 2, "OXY": 2,
    "SLB": 1, "WMT": 3, "COST": 3, "TGT": 2, "HD": 2, "NKE": 2, "SBUX": 2, "MCD": 1, "LLY": 3,
    "PFE": 2, "UNH": 2, "MRNA": 2, "F": 2, "GM": 2, "RIVN": 3, "LCID": 2, "NIO": 2, "BABA": 3,
    "HOOD": 4, "SOFI": 4, "MSTR": 4, "MARA": 4, "RIOT": 3, "BTC": 4, "ETH": 3, "IWM": 4, "DIA": 2,
    "TLT": 2, "GLD": 2, "VIX": 3, "XLE": 1, "XLF": 1, "XLK": 1, "ROKU": 1, "SNAP": 2, "RDDT": 2,
    "DKNG": 2, "CVNA": 2, "T": 1, "CAT": 1, "DE": 1, "UPS": 1, "FDX": 1, "DAL": 1, "KO": 1, "ZVZZT": 1,
}  # fmt: skip
