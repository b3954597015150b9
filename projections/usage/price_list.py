"""The prices of common models, as they were on one day: a beginning, and no promise.

Taken on 2026-11-29 from the table `model_prices_and_context_window_backup.json` of litellm 1.110.2 (MIT), which its
users collect from the price lists of the makers; none of it was compared with those lists here. They are US dollars for
each million tokens, at the plain rate: what is dearer for long prompts, cheaper in batches, or agreed on with the maker
is not in it, and neither are tools, pictures and sound that are charged apart. Prices change: whoever bills by them
passes prices of their own.
"""

from __future__ import annotations

from datetime import date

from projections.usage.prices import Price, Prices

AS_OF = date(2026, 11, 29)
"""The day on which the prices were taken."""
CURRENCY = "USD"
"""The currency that they are in."""

PRICES: Prices = {
    name: Price(*prices)
    for name, prices in {
        # Input, output, cached input, input written into a cache.
        # Anthropic
        "claude-haiku-4-5": ("1", "5", "0.1", "1.25"),
        "claude-haiku-5-5": ("0.1", "0.5", "0.01", "0.125"),
        "claude-sonnet-4-5": ("3", "15", "0.3", "3.75"),
        "claude-sonnet-4-6": ("3", "15", "0.3", "3.75"),
        "claude-sonnet-5": ("2", "10", "0.2", "2.5"),
        "claude-sonnet-5-5": ("2", "10", "0.1", "2.5"),
        "claude-opus-4-5": ("5", "25", "0.5", "6.25"),
        "claude-opus-4-6": ("5", "25", "0.5", "6.25"),
        "claude-opus-4-7": ("5", "25", "0.5", "6.25"),
        "claude-opus-4-8": ("5", "25", "0.5", "6.25"),
        "claude-opus-5": ("5", "25", "0.5", "6.25"),
        "claude-opus-5-5": ("4", "20", "0.2", "5"),
        # OpenAI
        "gpt-4.1": ("2", "8", "0.5"),
        "gpt-4.1-mini": ("0.4", "1.6", "0.1"),
        "gpt-4.1-nano": ("0.1", "0.4", "0.025"),
        "gpt-4o": ("2.5", "10", "1.25"),
        "gpt-4o-2024-05-13": ("5", "15"),
        "gpt-4o-mini": ("0.15", "0.6", "0.075"),
        "gpt-5": ("1.25", "10", "0.125"),
        "gpt-5-mini": ("0.25", "2", "0.025"),
        "gpt-5-nano": ("0.05", "0.4", "0.005"),
        "gpt-5.1": ("1.25", "10", "0.125"),
        "gpt-5.2": ("1.75", "14", "0.175"),
        "gpt-5.4": ("2.5", "15", "0.25"),
        "gpt-5.4-mini": ("0.75", "4.5", "0.075"),
        "gpt-5.4-nano": ("0.2", "1.25", "0.02"),
        "gpt-5.5": ("5", "30", "0.5"),
        "gpt-5.6": ("4", "20", "0.4", "5"),
        "gpt-6-astra": ("10", "50", "1", "12.5"),
        "gpt-6-luna": ("0.1", "0.5", "0.01", "0.125"),
        "gpt-6-sol": ("2", "10", "0.2", "2.5"),
        "gpt-6.1-sol": ("2", "10", "0.1", "2.5"),
        "gpt-6.1-terra": ("1", "5", "0.05", "1.25"),
        "o3": ("2", "8", "0.5"),
        "o4-mini": ("1.1", "4.4", "0.275"),
        # Google
        "gemini-2.5-flash": ("0.3", "2.5", "0.03"),
        "gemini-2.5-flash-lite": ("0.1", "0.4", "0.01"),
        "gemini-2.5-pro": ("1.25", "10", "0.125"),
        "gemini-3.1-flash-lite": ("0.25", "1.5", "0.025"),
        "gemini-3.5-flash": ("1.5", "9", "0.15"),
        "gemini-3.5-flash-lite": ("0.3", "2.5", "0.03"),
        "gemini-3.6-flash": ("0.75", "3.75", "0.075"),
        "gemini-3.7-flash": ("0.75", "3.75", "0.075"),
        "gemini-3.8-flash": ("0.75", "3.75", "0.075"),
        "gemini-4-argon": ("2", "10", "0.1"),
        "gemini-4-hydrogen": ("1.5", "7.5", "0.075"),
        # Mistral
        "mistral-large-2512": ("0.5", "1.5", "0.05"),
        "mistral-large-latest": ("0.5", "1.5", "0.05"),
        "mistral-medium-latest": ("1.5", "7.5", "0.15"),
        "mistral-small-latest": ("0.15", "0.6", "0.015"),
        # DeepSeek
        "deepseek-chat": ("0.28", "0.42", "0.028"),
        "deepseek-reasoner": ("0.28", "0.42", "0.028"),
        "deepseek-v4-flash": ("0.3", "1.2", "0.006"),
        "deepseek-v4-pro": ("1.32", "3.96", "0.044"),
        # xAI
        "grok-4.3": ("1.25", "2.5", "0.2"),
        "grok-4.5": ("2", "6", "0.3"),
        "grok-4.6": ("2", "6", "0.5"),
        "grok-4.7": ("2", "6", "0.5"),
    }.items()
}
"""The price of each model, by the name that its messages say, without the date of its release."""
