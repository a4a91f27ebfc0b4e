/* A small application for an STM32F405: it checks its own image, blinks, and answers lines on USART1.
 *
 *   V       version, product, hardware         C       length, checksum, OK or BAD
 *   U       96-bit unique id                   T       milliseconds since the start
 *   S mV    charge of a rested LFP cell        R       restart
 *
 * A line ends with CR or LF. Everything else is answered with "?". */
#include "program.h"
#include "registers.h"

#define TICKS_PER_MS   16000u /* 16 MHz after reset: RM0090 7.2.2 */
#define LED_PIN        5u
#define BLINK_GOOD_MS  500u
#define BLINK_BAD_MS   100u
#define CELL_MV_DIGITS 5u
#define MODE_OUTPUT    1u

static volatile uint32_t now_ms;

void program_tick(void)
{
    now_ms++;
}

static void led_open(void)
{
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOA;
    GPIOA_MODER = (GPIOA_MODER & ~(3u << 2 * LED_PIN)) | MODE_OUTPUT << 2 * LED_PIN;
}

static void led_set(bool on)
{
    GPIOA_BSRR = 1u << (on ? LED_PIN : LED_PIN + 16); /* RM0090 8.4.7: upper half clears */
}

static void tick_open(void)
{
    SYST_RVR = TICKS_PER_MS - 1;
    SYST_CVR = 0;
    SYST_CSR = SYST_CSR_CLKSOURCE | SYST_CSR_TICKINT | SYST_CSR_ENABLE;
}

static void answer_version(void)
{
    serial_write("V ");
    serial_write(descriptor.version);
    serial_write(" ");
    serial_write(descriptor.product);
    serial_write(" ");
    serial_write(descriptor.hardware);
}

static void answer_check(void)
{
    uint32_t crc;
    bool intact = image_is_intact(&crc);
    serial_write("C ");
    serial_write_number(descriptor.length);
    serial_write(" ");
    serial_write_hex(crc);
    serial_write(intact ? " OK" : " BAD");
}

static void answer_unique_id(void)
{
    serial_write("U ");
    for (unsigned i = 0; i < 3; i++)
        serial_write_hex(UNIQUE_ID_WORD(i));
}

static void answer_time(void)
{
    serial_write("T ");
    serial_write_number(now_ms);
}

/* "S 3265" */
static bool answer_charge(const char *line, unsigned n)
{
    uint32_t cell_mv = 0;
    if (n < 3 || n > 2 + CELL_MV_DIGITS || line[1] != ' ')
        return false;
    for (unsigned i = 2; i < n; i++) {
        if (line[i] < '0' || line[i] > '9')
            return false;
        cell_mv = 10 * cell_mv + (uint32_t)(line[i] - '0');
    }
    serial_write("S ");
    serial_write_number(charge_of_voltage(cell_mv));
    return true;
}

static void restart(void)
{
    serial_write("R\r\n");
    serial_flush();
    SCB_AIRCR = SCB_AIRCR_RESET;
}

static void answer(const char *line, unsigned n)
{
    bool known = n == 1;
    char command = n > 0 ? line[0] : '\0';
    if (known && command == 'V')
        answer_version();
    else if (known && command == 'C')
        answer_check();
    else if (known && command == 'U')
        answer_unique_id();
    else if (known && command == 'T')
        answer_time();
    else if (known && command == 'R')
        restart();
    else if (command != 'S' || !answer_charge(line, n))
        serial_write("?");
    serial_write("\r\n");
}

/* Takes what came; a line that is too long is swallowed whole and refused. */
static void serve(char line[LINE_MAX], unsigned *n)
{
    char c;
    if (!serial_read(&c))
        return;
    if (c != '\r' && c != '\n') {
        if (*n < LINE_MAX)
            line[*n] = c;
        if (*n <= LINE_MAX)
            ++*n;
        return;
    }
    if (*n > LINE_MAX)
        answer("?", 0);
    else if (*n > 0)
        answer(line, *n);
    *n = 0;
}

void program_run(void)
{
    char line[LINE_MAX];
    uint32_t crc, blinked_ms = 0;
    unsigned n = 0;
    bool on = false;
    const uint32_t blink_ms = image_is_intact(&crc) ? BLINK_GOOD_MS : BLINK_BAD_MS;
    led_open();
    tick_open();
    serial_open();
    while (1) {
        serve(line, &n);
        if (now_ms - blinked_ms >= blink_ms) {
            blinked_ms += blink_ms;
            on = !on;
            led_set(on);
        }
    }
}
