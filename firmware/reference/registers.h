/* The few registers of an STM32F405 that this program touches, written from ST's reference manual RM0090 and
 * Arm's ARMv7-M Architecture Reference Manual (DDI 0403). */
#pragma once

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* RM0090 2.3 memory map; RCC 7.3.10, 7.3.14. */
#define RCC_AHB1ENR        REGISTER(0x40023830u)
#define RCC_AHB1ENR_GPIOA  (1u << 0)
#define RCC_APB2ENR        REGISTER(0x40023844u)
#define RCC_APB2ENR_USART1 (1u << 4)

/* GPIO port A: RM0090 8.4.1, 8.4.7, 8.4.10. */
#define GPIOA_MODER REGISTER(0x40020000u)
#define GPIOA_BSRR  REGISTER(0x40020018u)
#define GPIOA_AFRH  REGISTER(0x40020024u)

/* USART1: RM0090 30.6.1 to 30.6.4. */
#define USART1_SR     REGISTER(0x40011000u)
#define USART1_DR     REGISTER(0x40011004u)
#define USART1_BRR    REGISTER(0x40011008u)
#define USART1_CR1    REGISTER(0x4001100Cu)
#define USART_SR_RXNE (1u << 5)
#define USART_SR_TC   (1u << 6)
#define USART_SR_TXE  (1u << 7)
#define USART_CR1_RE  (1u << 2)
#define USART_CR1_TE  (1u << 3)
#define USART_CR1_UE  (1u << 13)

/* 96-bit unique device id: RM0090 39.1. */
#define UNIQUE_ID_WORD(i) REGISTER(0x1FFF7A10u + 4u * (i))

/* SysTick: DDI 0403 B3.3.3 to B3.3.5; application interrupt and reset control: B3.2.6. */
#define SYST_CSR           REGISTER(0xE000E010u)
#define SYST_RVR           REGISTER(0xE000E014u)
#define SYST_CVR           REGISTER(0xE000E018u)
#define SYST_CSR_ENABLE    (1u << 0)
#define SYST_CSR_TICKINT   (1u << 1)
#define SYST_CSR_CLKSOURCE (1u << 2)
#define SCB_AIRCR          REGISTER(0xE000ED0Cu)
#define SCB_AIRCR_RESET    (0x05FA0000u | 1u << 2)
