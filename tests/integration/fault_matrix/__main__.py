"""``make fault-matrix``: the full form; words choose the cases whose names hold them all."""

import sys

from tests.integration.fault_matrix.full_form import main

if __name__ == "__main__":  # the processes that it starts import it once more
    sys.exit(main(sys.argv[1:]))
