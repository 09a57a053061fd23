"""The child: `python -m shuanglu_common.cell FD`."""

from shuanglu_common.cell.child import main

if __name__ == "__main__":
    main()
