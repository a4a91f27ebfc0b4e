/* The one visible list of verbs. */
#include "station/cli.h"

extern const struct cli_verb cli_run_verbs[], cli_demo_verbs[], cli_files_verbs[], cli_firmware_verbs[],
    cli_board_verbs[], cli_live_verbs[], cli_connect_verbs[], cli_records_verbs[], cli_label_verbs[],
    cli_simulate_verbs[], cli_profile_verbs[], cli_parameters_verbs[], cli_service_verbs[], cli_log_verbs[],
    cli_scan_verbs[];

const struct cli_verb *const cli_tables[] = {
    cli_demo_verbs,       cli_run_verbs,     cli_files_verbs,   cli_firmware_verbs,
    cli_board_verbs,      cli_connect_verbs, cli_records_verbs, cli_label_verbs,
    cli_simulate_verbs,   cli_profile_verbs, cli_service_verbs, cli_log_verbs,
    cli_parameters_verbs, cli_scan_verbs,    cli_live_verbs,    NULL,
};
