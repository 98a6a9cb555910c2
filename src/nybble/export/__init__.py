"""A run made usable elsewhere: merged model, model card, the Hub; each checked against the run."""
