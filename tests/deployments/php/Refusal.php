<?php

declare(strict_types=1);

/** Refuses a request; its code is the status. */
final class Refusal extends Exception {}
