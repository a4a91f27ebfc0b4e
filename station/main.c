#include "station/cli.h"

#include <locale.h>
#include <signal.h>

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    /* A closed pipe or printer is an error of a write, not the end of a run. */
    signal(SIGPIPE, SIG_IGN);
    /* A full disk must answer as an error too, not kill the process that has to record it. */
    signal(SIGXFSZ, SIG_IGN);
    return cli_main(argc, argv);
}
