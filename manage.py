#!/usr/bin/env python
"""Heed's command line: every command starts here, with the embedded services up when it needs them."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line

    from config.services import hold_services_for_command

    hold_services_for_command(sys.argv)
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
