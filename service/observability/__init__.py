"""What an operator watches: metrics of all processes of a server, and of what they share."""
