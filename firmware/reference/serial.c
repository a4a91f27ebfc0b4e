/* USART1 on PA9 and PA10, 9600 8N1, polled. */
#include "program.h"
#include "registers.h"

#define CLOCK_HZ 16000000u /* the internal oscillator, on after reset: RM0090 7.2.2 */
#define BAUD     9600u
#define PIN_TX   9u
#define PIN_RX   10u

/* Alternate function 7 is USART1 on these pins: datasheet DS8626, table 9. */
#define FUNCTION_USART1 7u
#define MODE_ALTERNATE  2u

void serial_open(void)
{
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOA;
    RCC_APB2ENR |= RCC_APB2ENR_USART1;
    GPIOA_AFRH = (GPIOA_AFRH & ~(0xFFu << 4 * (PIN_TX - 8))) | FUNCTION_USART1 << 4 * (PIN_TX - 8) |
                 FUNCTION_USART1 << 4 * (PIN_RX - 8);
    GPIOA_MODER =
        (GPIOA_MODER & ~(0xFu << 2 * PIN_TX)) | MODE_ALTERNATE << 2 * PIN_TX | MODE_ALTERNATE << 2 * PIN_RX;
    USART1_BRR = (CLOCK_HZ + BAUD / 2) / BAUD; /* RM0090 30.3.4 with 16 times oversampling */
    USART1_CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE;
}

bool serial_read(char *c)
{
    if (!(USART1_SR & USART_SR_RXNE))
        return false;
    *c = (char)USART1_DR; /* also clears an overrun: RM0090 30.6.1 */
    return true;
}

void serial_write(const char *text)
{
    for (; *text; text++) {
        while (!(USART1_SR & USART_SR_TXE))
            ;
        USART1_DR = (uint8_t)*text;
    }
}

void serial_write_number(uint32_t value)
{
    char digits[11];
    unsigned i = sizeof digits - 1;
    digits[i] = '\0';
    do {
        digits[--i] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    serial_write(digits + i);
}

void serial_write_hex(uint32_t value)
{
    char digits[9];
    for (unsigned i = 0; i < 8; i++)
        digits[i] = "0123456789ABCDEF"[value >> (28 - 4 * i) & 15];
    digits[8] = '\0';
    serial_write(digits);
}

void serial_flush(void)
{
    while (!(USART1_SR & USART_SR_TC))
        ;
}
