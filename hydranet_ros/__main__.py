"""``python -m hydranet_ros`` is the command ``hydranet``."""

from hydranet_ros.cli import main

if __name__ == '__main__':
    main()
