import { type ArgumentsHost, Catch, ServiceUnavailableException } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { DualClusterError, NoAvailableClusterError } from 'nestjs-helix';

/** Neither cluster could serve the request: 503, and whether the client may simply send it again. */
@Catch(DualClusterError, NoAvailableClusterError)
export class HelixErrorFilter extends BaseExceptionFilter {
  override catch(error: DualClusterError | NoAvailableClusterError, host: ArgumentsHost): void {
    const isRetrySafe = error instanceof NoAvailableClusterError || error.outcome === 'notApplied';
    super.catch(new ServiceUnavailableException({ code: error.code, isRetrySafe }, { cause: error }), host);
  }
}
