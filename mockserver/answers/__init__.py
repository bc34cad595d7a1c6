"""What is answered: neutral events, token by token, from the request, the settings and a seed. Pure."""
