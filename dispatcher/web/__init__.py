"""The HTTP face: vendors' events in, one-click unsubscribe, health. Parse, call one service, answer."""
