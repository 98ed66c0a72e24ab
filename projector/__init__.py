"""The projector: stream record → fold → apply → seal. It owns the writing of the view.

`projector.handler.handler` is the Lambda function, `projector.poller` the same code where there is
no Lambda.
"""
