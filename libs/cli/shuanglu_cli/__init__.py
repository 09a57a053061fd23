"""The shuanglu command line. Its parts are also used by tests and by the demo."""
