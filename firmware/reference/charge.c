#include "program.h"

#define POINTS 11
#define STEP   100u /* thousandths between two points */

/* Open-circuit voltage of an LFP cell in mV at 0 %, 10 % … 100 %: the points Vol0 to Vol10 that the parameter
 * table of a 23-cell LFP board prints. */
static const uint16_t curve[POINTS] = {2500, 3150, 3195, 3213, 3227, 3236, 3245, 3265, 3280, 3290, 3550};

uint32_t charge_of_voltage(uint32_t cell_mv)
{
    if (cell_mv <= curve[0])
        return 0;
    for (unsigned i = 1; i < POINTS; i++)
        if (cell_mv < curve[i])
            return STEP * (i - 1) + STEP * (cell_mv - curve[i - 1]) / (uint32_t)(curve[i] - curve[i - 1]);
    return STEP * (POINTS - 1);
}
