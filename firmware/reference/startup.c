/* Vector table, reset and faults of a Cortex-M4 (DDI 0403 B1.5.3), without a C library. */
#include "program.h"
#include "registers.h"

#define CORE_VECTORS       16
#define PERIPHERAL_VECTORS 82 /* RM0090 table 62: positions 0 to 81 */

extern uint32_t stack_top, data_load, data_start, data_end, bss_start, bss_end; /* of reference.ld */

void reset_handler(void);
void fault_handler(void);

/* A fault restarts the board: the bootloader's check and the outputs' reset state are safer than going on. */
void fault_handler(void)
{
    SCB_AIRCR = SCB_AIRCR_RESET;
    while (1)
        ;
}

void reset_handler(void)
{
    const uint32_t *from = &data_load;
    for (uint32_t *to = &data_start; to < &data_end; to++)
        *to = *from++;
    for (uint32_t *to = &bss_start; to < &bss_end; to++)
        *to = 0;
    program_run();
}

struct vectors {
    const void *stack;
    void (*core[CORE_VECTORS - 1])(void);
    void (*peripheral[PERIPHERAL_VECTORS])(void);
};

/* No peripheral interrupt is enabled, so one that comes is a fault. */
__attribute__((section(".vectors"), used)) static const struct vectors vectors = {
    .stack = &stack_top,
    .core = {[0] = reset_handler,
             [1] = fault_handler,  /* NMI */
             [2] = fault_handler,  /* HardFault */
             [3] = fault_handler,  /* MemManage */
             [4] = fault_handler,  /* BusFault */
             [5] = fault_handler,  /* UsageFault */
             [10] = fault_handler, /* SVCall */
             [11] = fault_handler, /* DebugMonitor */
             [13] = fault_handler, /* PendSV */
             [14] = program_tick},
    .peripheral = {[0 ... PERIPHERAL_VECTORS - 1] = fault_handler},
};
